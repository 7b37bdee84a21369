"""EfficientNet-Lite0 as an ONNX graph, which CPUs compute faster.

    pictures (N, H, W, 3) uint8 -> (x - 127) / 128
          -> convolution, ReLU6                                   stem
          -> [expand, ReLU6,] depthwise, ReLU6, project [+ input] of each block
          -> convolution, ReLU6 -> mean over places -> features (N, D) float32

Weights have the names of efficientnet-lite-pytorch. Each batch norm is folded into the convolution
before it: w' = w g / s, b' = beta - mean g / s, s = sqrt(variance + eps). Padding is TensorFlow's
SAME, as that of the authors.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET, _IR = 17, 8
_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))  # blocks, stride of the first
_EPSILON = 1e-3  # of batch norm


def efficientnet_lite0_graph(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the serialised graph, from pictures to mean features.

    Args:
        tensors: weights and statistics, by name.
    """
    graph = _Graph(tensors)
    value = graph.node("Transpose", "pictures", perm=[0, 3, 1, 2])
    value = graph.node("Cast", value, to=TensorProto.FLOAT)
    value = graph.node("Sub", value, graph.constant(np.array(127, np.float32)))
    value = graph.node("Mul", value, graph.constant(np.array(1 / 128, np.float32)))
    value = graph.relu6(graph.convolution(value, "_conv_stem", "_bn0", stride=2))
    strides = [of if not number else 1 for count, of in _STAGES for number in range(count)]
    for number, stride in enumerate(strides):
        block, before = f"_blocks.{number}.", value
        if f"{block}_expand_conv.weight" in tensors:
            value = graph.relu6(graph.convolution(value, f"{block}_expand_conv", f"{block}_bn0"))
        depthwise = graph.convolution(value, f"{block}_depthwise_conv", f"{block}_bn1", stride)
        value = graph.convolution(graph.relu6(depthwise), f"{block}_project_conv", f"{block}_bn2")
        if stride == 1 and _has_equal_ends(tensors, block):
            value = graph.node("Add", value, before)
    value = graph.relu6(graph.convolution(value, "_conv_head", "_bn1"))
    value = graph.node("GlobalAveragePool", value)
    graph.node("Flatten", value, output="features")
    return graph.serialised()


def _has_equal_ends(tensors: Mapping[str, NDArray[Any]], block: str) -> bool:
    """Return whether a block has as many channels at its end as at its beginning."""
    expand = tensors.get(f"{block}_expand_conv.weight")
    first = len(tensors[f"{block}_depthwise_conv.weight"]) if expand is None else expand.shape[1]
    return bool(first == len(tensors[f"{block}_project_conv.weight"]))


class _Graph:
    """Nodes and weights of a graph; values are named as they come."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._tensors = tensors
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

    def convolution(self, value: str, conv: str, norm: str, stride: int = 1) -> str:
        """Add a convolution with its batch norm, and return the name of the result."""
        names = (f"{norm}.{of}" for of in ("weight", "bias", "running_mean", "running_var"))
        gamma, beta, mean, variance = (self._tensors[name].astype(np.float64) for name in names)
        kernel = self._tensors[f"{conv}.weight"].astype(np.float64)
        gain = gamma / np.sqrt(variance + _EPSILON)
        weights = (kernel * gain[:, None, None, None]).astype(np.float32)
        bias = (beta - mean * gain).astype(np.float32)
        return self.node(
            "Conv",
            value,
            self.constant(weights),
            self.constant(bias),
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            group=len(kernel) if "depthwise" in conv else 1,
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
