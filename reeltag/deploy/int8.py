"""Matrix products of a graph in int8: less accurate than float32, and faster on a CPU.

Weights are rounded to 255 steps a column, once; what they are multiplied with is rounded to 256
steps when it is there ("dynamic quantisation"), so that no data are needed. All else stays in
float32. It pays on CPUs with instructions for it (AVX512-VNNI, AVX-VNNI, ARM's dot products).
"""

import logging
from collections.abc import Container

from reeltag.core.extras import check_extra
from reeltag.core.files import scratch_folder

with check_extra("export"):
    import onnx_ir as ir
    from onnxruntime.quantization import QuantType, quantize_dynamic

PRODUCTS = ("MatMul", "Gemm")


def with_int8_products(model: ir.Model) -> ir.Model:
    """Return the graph with its products of activations and weights in int8.

    Products of constants, and of weights that are no matrix, stay in float32.

    Args:
        model: with weights of less than 2 GB; it stays as it is.
    """
    constants = model.graph.initializers
    kept = [
        node.name
        for node in model.graph
        if node.op_type in PRODUCTS and not _is_weight(node.inputs[1], constants)
    ]
    root, level = logging.getLogger(), logging.getLogger().level
    with scratch_folder() as folder:
        path = folder / "int8.onnx"
        try:
            root.setLevel(logging.ERROR)  # it logs advice there
            quantize_dynamic(
                ir.to_proto(model),
                path,
                op_types_to_quantize=list(PRODUCTS),
                per_channel=True,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=kept,
            )
        finally:
            root.setLevel(level)
        found = ir.load(path)
        for value in found.graph.initializers.values():
            tensor = value.const_value
            assert tensor is not None
            value.const_value = ir.tensor(tensor.numpy(), dtype=tensor.dtype, name=value.name)
    return found


def _is_weight(value: ir.Value | None, constants: Container[str]) -> bool:
    """Return whether a factor is a constant matrix."""
    tensor = value.const_value if value is not None and value.name in constants else None
    return tensor is not None and len(tensor.shape) == 2
