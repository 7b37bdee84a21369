"""Packing of large tensors of a graph; the graph unpacks them itself.

    fp16     half ------------------> Cast ---> float32, as before
    uint8    codes --> Cast --> Gather(codebook) ---> float32, as before

An engine that folds constants (onnxruntime does) unpacks once, when it loads the model. Arithmetic
stays in float32.
"""

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.core.errors import DataError
from reeltag.core.extras import check_extra
from reeltag.deploy.budget import LARGE, Budget, Precision, Weight
from reeltag.deploy.codebooks import Rule, encode

with check_extra("export"):
    import onnx_ir as ir

HALF_MOST = float(np.finfo(np.float16).max)
SMALL = 64  # elements of a tensor that is counted with the graph
LENGTHS = 24  # bytes at most by which the shape and the lengths of a larger one are longer


def budget_of(model: ir.Model, members: dict[str, str]) -> Budget:
    """Return the bytes of the graph; see `Budget` for `members`."""
    weights = [_weight(value) for value in model.graph.initializers.values()]
    return Budget(weights=weights, overhead=_bytes_without_large(model, weights), members=members)


def pack(model: ir.Model, precision: Precision, rule: Rule) -> int:
    """Put the large tensors of a graph into a lower precision, and return how many numbers are.

    A tensor with values beyond 65,504, the largest of half precision, stays in float32.

    Raises DataError if a weight is not finite.
    """
    values, packed = list(model.graph.initializers.values()), 0
    large = [value for value in values if _weight(value).packable]
    for value in track(large, f"packing into {precision}"):
        array = tensor_of(value)
        if not np.isfinite(array).all():
            raise DataError(f"{value.name} holds NaN or infinity: its training has diverged")
        if precision == "uint8":
            _put_codes(model.graph, value, array, rule)
        elif precision == "fp16" and np.abs(array).max() <= HALF_MOST:
            _put_half(model.graph, value, array)
        else:
            continue
        packed += array.size
    return packed


def tensor_of(value: ir.Value) -> NDArray[np.float32]:
    """Return the numbers of a constant of a graph."""
    assert value.const_value is not None
    array: NDArray[np.float32] = value.const_value.numpy()
    return array


def _weight(value: ir.Value) -> Weight:
    tensor = value.const_value
    assert tensor is not None and value.name is not None
    elements = int(tensor.size)
    packable = tensor.dtype == ir.DataType.FLOAT and elements > LARGE
    return Weight(
        name=value.name.removeprefix("tagger."),
        elements=elements,
        stored=int(tensor.nbytes),
        packable=packable,
    )


def _bytes_without_large(model: ir.Model, weights: list[Weight]) -> int:
    """Return the bytes of the graph without the elements of its tensors."""
    values = list(model.graph.initializers.values())
    held = [value.const_value for value in values]
    for value, weight in zip(values, weights, strict=True):
        if weight.elements > SMALL:
            value.const_value = ir.tensor(np.zeros(1, np.float32), name=value.name)
    size: int = ir.to_proto(model).ByteSize()
    for value, tensor in zip(values, held, strict=True):
        value.const_value = tensor
    small = sum(weight.stored for weight in weights if weight.elements <= SMALL)
    return size - small + LENGTHS * len(values)


def _put_half(graph: ir.Graph, value: ir.Value, array: NDArray[np.float32]) -> None:
    half = _constant(graph, f"{value.name}.half", array.astype(np.float16))
    cast = ir.Node("", "Cast", [half], [ir.AttrInt64("to", ir.DataType.FLOAT)], num_outputs=1)
    _replace(graph, value, [cast])


def _put_codes(graph: ir.Graph, value: ir.Value, array: NDArray[np.float32], rule: Rule) -> None:
    code = encode(array, rule)
    codes = _constant(graph, f"{value.name}.codes", code.codes)
    codebook = _constant(graph, f"{value.name}.codebook", code.codebook)
    cast = ir.Node("", "Cast", [codes], [ir.AttrInt64("to", ir.DataType.INT32)], num_outputs=1)
    gather = ir.Node("", "Gather", [codebook, cast.outputs[0]], num_outputs=1)
    _replace(graph, value, [cast, gather])


def _constant(graph: ir.Graph, name: str, array: NDArray[np.generic]) -> ir.Value:
    tensor = ir.tensor(array, name=name)
    kind = ir.TensorType(tensor.dtype)
    value = ir.Value(name=name, shape=ir.Shape(array.shape), type=kind, const_value=tensor)
    graph.register_initializer(value)
    return value


def _replace(graph: ir.Graph, value: ir.Value, nodes: list[ir.Node]) -> None:
    """Replace a constant by the output of the last of `nodes`, which gets its name."""
    output, name = nodes[-1].outputs[0], value.name
    graph.initializers.pop(str(name))
    output.shape, output.type = value.shape, value.type
    value.replace_all_uses_with(output)
    value.name, output.name = None, name
    for node, kind in zip(nodes, ("unpack", "look_up"), strict=False):
        node.name = f"{name}.{kind}"
        if node.outputs[0] is not output:
            node.outputs[0].name = f"{name}.{kind}ed"
    graph.insert_before(graph[0], nodes)
