"""A product with so many weights that they are better not copied, under autocast on a CPU.

Behind NetVLAD there are 285 million weights. Under autocast PyTorch writes them again in bfloat16
at every step, keeps that copy, and turns the whole gradient back; here some columns at a time are
turned instead, while they are in the cache: the better part of the layer's time.

Shape letters: B videos, V inputs, H outputs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context

TILE = 2**22  # weights at a time: 8 MiB of bfloat16, for the third-level cache
WIDE = 2**24  # weights from which on it pays


def pays(input_BV: Tensor, weight_HV: Tensor, *_: object) -> bool:
    """Return whether there are enough weights, and autocast is on."""
    return weight_HV.numel() >= WIDE and torch.is_autocast_enabled(input_BV.device.type)


def wide_product(input_BV: Tensor, weight_HV: Tensor, bias_H: Tensor | None) -> Tensor:
    """Return what `layers.wide_linear.wide_product` returns, in autocast's dtype."""
    device = input_BV.device.type
    dtype = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):
        out_BH: Tensor = _WideProduct.apply(input_BV.to(dtype), weight_HV)
        return (out_BH if bias_H is None else out_BH + bias_H).to(dtype)


class _WideProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, input_BV: Tensor, weight_HV: Tensor) -> Tensor:
        ctx.save_for_backward(input_BV, weight_HV)
        out_BH = weight_HV.new_zeros(len(input_BV), len(weight_HV))
        for part in _tiles(weight_HV):
            out_BH += F.linear(input_BV[:, part], weight_HV[:, part].to(input_BV.dtype))
        return out_BH

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        input_BV, weight_HV = ctx.saved_tensors
        grad_BH = gradients[0].to(input_BV.dtype)
        grad_HB = grad_BH.T.contiguous()
        input_grad_BV, weight_grad_HV = torch.empty_like(input_BV), torch.empty_like(weight_HV)
        for part in _tiles(weight_HV):
            input_grad_BV[:, part] = grad_BH @ weight_HV[:, part].to(input_BV.dtype)
            weight_grad_HV[:, part] = grad_HB @ input_BV[:, part]
        return input_grad_BV, weight_grad_HV


def _tiles(weight_HV: Tensor) -> list[slice]:
    """Return the columns that are worked on together."""
    height, width = weight_HV.shape
    step = max(1, TILE // height)
    return [slice(start, start + step) for start in range(0, width, step)]
