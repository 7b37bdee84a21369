"""A product with so many weights that they are better not copied, on a CPU.

Behind NetVLAD there are 285 million weights. Under autocast PyTorch writes them again in bfloat16
at every step, keeps that copy, and turns the whole gradient back; here some columns at a time are
turned instead, while they are in the cache: the better part of the layer's time. Where the weights
are laid out by columns (`layers.wide_linear.factor_gradients`) this takes half the time again: a
column's neighbours are then not pages away.

Shape letters: B videos, V inputs, H outputs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context
from reeltag.layers.kernels.factored_gradient import FactoredGradient

TILE = 2**22  # weights at a time: 8 MiB of bfloat16, for the third-level cache
WIDE = 2**24  # weights from which on it pays, laid out by columns
BY_ROWS = 2**27  # and laid out by rows: tiles of fewer are slower than autocast's copy
THIN = 32  # videos^2 per output up to which factors pay: the products for their norm grow with it


def pays(
    input_BV: Tensor, weight_HV: Tensor, _: object, gradient: FactoredGradient | None = None
) -> bool:
    """Return whether there are enough weights, and autocast is on or the gradient is factored."""
    if gradient is not None:
        return weight_HV.numel() >= WIDE
    return weight_HV.numel() >= BY_ROWS and torch.is_autocast_enabled(input_BV.device.type)


def wide_product(
    input_BV: Tensor,
    weight_HV: Tensor,
    bias_H: Tensor | None,
    gradient: FactoredGradient | None = None,
) -> Tensor:
    """Return what `layers.wide_linear.wide_product` returns, in autocast's dtype if it is on."""
    device, dtype = input_BV.device.type, weight_HV.dtype
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):
        out_BH: Tensor = _WideProduct.apply(input_BV.to(dtype), weight_HV, gradient)
        return (out_BH if bias_H is None else out_BH + bias_H).to(dtype)


class _WideProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Context, input_BV: Tensor, weight_HV: Tensor, gradient: FactoredGradient | None
    ) -> Tensor:
        ctx.save_for_backward(input_BV, weight_HV)
        ctx.rest = gradient
        out_BH = weight_HV.new_zeros(len(input_BV), len(weight_HV))
        for part in tiles(weight_HV):
            out_BH += F.linear(input_BV[:, part], weight_HV[:, part].to(input_BV.dtype))
        return out_BH

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        input_BV, weight_HV = ctx.saved_tensors
        grad_BH = gradients[0].to(input_BV.dtype)
        input_grad_BV = weight_grad_HV = None
        if ctx.needs_input_grad[0]:
            input_grad_BV = torch.empty_like(input_BV)
            for part in tiles(weight_HV):
                input_grad_BV[:, part] = grad_BH @ weight_HV[:, part].to(input_BV.dtype)
        is_thin = len(grad_BH) ** 2 <= THIN * len(weight_HV)
        if ctx.needs_input_grad[1] and ctx.rest is not None and is_thin:
            ctx.rest.add(grad_BH, input_BV)
        elif ctx.needs_input_grad[1]:
            weight_grad_HV, grad_HB = torch.empty_like(weight_HV), grad_BH.T.contiguous()
            for part in tiles(weight_HV):
                weight_grad_HV[:, part] = grad_HB @ input_BV[:, part]
        return input_grad_BV, weight_grad_HV, None


def tiles(weight_HV: Tensor, size: int | None = None) -> list[slice]:
    """Return the columns that are worked on together, `size` weights or TILE."""
    height, width = weight_HV.shape
    step = max(1, (size or TILE) // height)
    return [slice(start, min(start + step, width)) for start in range(0, width, step)]
