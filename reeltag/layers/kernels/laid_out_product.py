"""The arithmetic that the recurrences of LSTM and GRU share, made for speed.

Shape letters: B videos, I and O sizes in and out, N real frames in the order of reading, K = D + H
input and state side by side, G gates.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.layers.kernels.packing import Packing

CHUNK = 256  # rows that oneDNN multiplies at a time; with thousands it is a sixth slower


class Product:
    """rows @ weight.T + bias + other, with the weight laid out once for many products.

    PyTorch's product lays it out again each time, which costs a tenth of a step in bfloat16 and a
    quarter in float32; oneDNN's operators for linear layers with frozen weights do not.

    Args:
        weight_OI: (out, in), of the dtype of the rows.
        rows: usual number of rows of a product.
        bias_O: (out,), of the same dtype.
    """

    def __init__(self, weight_OI: Tensor, rows: int, bias_O: Tensor | None = None) -> None:
        self.laid_out = fits_onednn(weight_OI) and rows > 0
        self.weight, self.bias = weight_OI, bias_O
        if self.laid_out:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(weight_OI.contiguous(), rows)

    def __call__(self, rows_BI: Tensor, other_BO: Tensor | None = None) -> Tensor:
        """Return (B, out) in the dtype of the rows."""
        out_BO: Tensor
        if not self.laid_out:
            out_BO = F.linear(rows_BI, self.weight, self.bias)
            return out_BO if other_BO is None else out_BO.add_(other_BO)
        linear = torch.ops.mkldnn._linear_pointwise
        if other_BO is None:
            out_BO = linear(rows_BI, self.weight, self.bias, "none", [], "")
        else:
            out_BO = linear.binary(rows_BI, other_BO, self.weight, self.bias, "add")
        return out_BO

    def of_all(self, rows_NI: Tensor) -> Tensor:
        """Return (N, out) for any number of rows."""
        if not self.laid_out:
            return self(rows_NI)
        return torch.cat([self(rows_BI) for rows_BI in rows_NI.split(CHUNK)])


def fits_onednn(weight: Tensor) -> bool:
    """Return whether oneDNN multiplies by `weight` here; its operators are private to torch."""
    own = torch.ops.mkldnn
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if not hasattr(own, "_reorder_linear_weight") or not hasattr(own, "_linear_pointwise"):
        return False
    if weight.dtype == torch.bfloat16:
        return hasattr(own, "_is_mkldnn_bf16_supported") and own._is_mkldnn_bf16_supported()
    return weight.dtype == torch.float32


def tanh_(x: Tensor) -> Tensor:
    """Replace `x` by tanh(x) = 2 sigmoid(2 x) - 1; a third of the time of PyTorch's on a CPU."""
    return x.mul_(2).sigmoid_().mul_(2).sub_(1)


def through_sigmoid_(gradient: Tensor, y: Tensor) -> Tensor:
    """Replace the gradient at y = sigmoid(x) by that at x."""
    out: Tensor = torch.ops.aten.sigmoid_backward.grad_input(gradient, y, grad_input=gradient)
    return out


def through_tanh_(gradient: Tensor, y: Tensor) -> Tensor:
    """Replace the gradient at y = tanh(x) by that at x."""
    out: Tensor = torch.ops.aten.tanh_backward.grad_input(gradient, y, grad_input=gradient)
    return out


def given_or_zero(gradient_BH: Tensor | None, like_BH: Tensor) -> Tensor:
    """Return a copy of the gradient of a last state; zeros where it has none."""
    return torch.zeros_like(like_BH) if gradient_BH is None else gradient_BH.to(like_BH, copy=True)


def weight_gradient(dgates_NG: Tensor, x_ND: Tensor, before_MH: Tensor) -> Tensor:
    """Return the gradient (G, K) of a kernel, from all steps at once.

    Args:
        dgates_NG: gradient of what goes into the gates.
        x_ND: input.
        before_MH: what the state side was multiplied with, for the rows after the first step (the
            states before it are 0).
    """
    later_MG = dgates_NG[len(dgates_NG) - len(before_MH) :]
    return torch.cat([_over_rows(dgates_NG, x_ND), _over_rows(later_MG, before_MH)], dim=1)


def _over_rows(dgates_NG: Tensor, x_ND: Tensor) -> Tensor:
    """Return dgates.T @ x, (G, D).

    Where the width is no multiple of 64, oneDNN is a fifth slower (WILLOW's 1200 units); the copy
    wins that back.
    """
    if x_ND.shape[1] % 64 == 0:
        return dgates_NG.T @ x_ND
    return (x_ND.T.contiguous() @ dgates_NG).T


def bias_gradient(dgates_NG: Tensor) -> Tensor:
    """Return the sum over rows (G,), as a product: faster than PyTorch's sum in bfloat16."""
    return (dgates_NG.new_ones(1, len(dgates_NG)) @ dgates_NG).squeeze(0)


def runs(packing: Packing, x_ND: Tensor) -> list[range]:
    """Return runs of steps, each with about as many rows as are best multiplied at a time."""
    return list(packing.chunks(CHUNK if x_ND.device.type == "cpu" else 64 * CHUNK))
