"""An EfficientNet-Lite of efficientnet-lite-pytorch as an ONNX graph, which CPUs compute faster.

    pictures (N, H, W, 3) uint8 -> (x - 127) / 128
          -> convolution, ReLU6                                   stem
          -> [expand, ReLU6,] depthwise, ReLU6, project [+ input] of each block
          -> convolution, ReLU6 -> mean over places -> features (N, D) float32

Each batch norm is folded into the convolution before it: w' = w g / s, b' = beta - mean g / s,
s = sqrt(variance + eps). Padding is TensorFlow's SAME, as that of the authors.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET, _IR = 17, 8


def efficientnet_lite_graph(net: Any) -> bytes:  # noqa: ANN401
    """Return the serialised graph of a net in eval mode, from pictures to mean features.

    Args:
        net: `efficientnet_lite_pytorch.EfficientNet` of a lite architecture.
    """
    graph = _Graph()
    value = graph.node("Transpose", "pictures", perm=[0, 3, 1, 2])
    value = graph.node("Cast", value, to=TensorProto.FLOAT)
    value = graph.node("Sub", value, graph.constant(np.array(127, np.float32)))
    value = graph.node("Mul", value, graph.constant(np.array(1 / 128, np.float32)))
    value = graph.relu6(graph.convolution(value, net._conv_stem, net._bn0))
    for block in net._blocks:
        options, before = block._block_args, value
        if options.expand_ratio != 1:
            value = graph.relu6(graph.convolution(value, block._expand_conv, block._bn0))
        value = graph.relu6(graph.convolution(value, block._depthwise_conv, block._bn1))
        value = graph.convolution(value, block._project_conv, block._bn2)
        same = options.input_filters == options.output_filters and options.stride in (1, [1])
        if options.id_skip and same:
            value = graph.node("Add", value, before)
    value = graph.relu6(graph.convolution(value, net._conv_head, net._bn1))
    value = graph.node("GlobalAveragePool", value)
    graph.node("Flatten", value, output="features")
    return graph.serialised()


class _Graph:
    """Nodes and weights of a graph; values are named as they come."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._bounds = [self.constant(np.array(bound, np.float32)) for bound in (0, 6)]

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:  # noqa: ANN401
        """Add a node and return the name of its result."""
        name = output or f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[np.float32]) -> str:
        """Add an array and return its name."""
        name = f"weight{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def relu6(self, value: str) -> str:
        """Add a ReLU6 and return the name of its result."""
        return self.node("Clip", value, *self._bounds)

    def convolution(self, value: str, conv: Any, norm: Any) -> str:  # noqa: ANN401
        """Add a convolution with its batch norm, and return the name of the result."""
        kernel, gamma, beta, mean, variance = (
            of.detach().double().numpy()
            for of in (conv.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
        )
        gain = gamma / np.sqrt(variance + norm.eps)
        weights = (kernel * gain[:, None, None, None]).astype(np.float32)
        bias = (beta - mean * gain).astype(np.float32)
        return self.node(
            "Conv",
            value,
            self.constant(weights),
            self.constant(bias),
            kernel_shape=list(conv.kernel_size),
            strides=list(conv.stride),
            group=conv.groups,
            auto_pad="SAME_UPPER",
        )

    def serialised(self) -> bytes:
        """Return the graph of all nodes, from `pictures` to `features`."""
        pictures = helper.make_tensor_value_info(
            "pictures", TensorProto.UINT8, ["N", "height", "width", 3]
        )
        features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", None])
        graph = helper.make_graph(self.nodes, "encoder", [pictures], [features], self.weights)
        opsets = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
        serialised: bytes = model.SerializeToString()
        return serialised
