"""A linear layer whose weights are too many to be copied.

Behind NetVLAD stand 285 million weights. Under autocast PyTorch writes them anew in bfloat16 at
every step, keeps that copy, and turns the whole gradient back; on a CPU, where these are the better
part of the layer's time, some columns at a time are turned instead, while they are in the cache.

Shape letters: B videos, V inputs, H outputs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

TILE = 2**22  # weights at a time: 8 MiB of bfloat16, for the third-level cache
WIDE = 2**24  # weights from which on it pays


class WideLinear(nn.Linear):
    """`nn.Linear`, but for the order of its work under autocast on a CPU, when there are many."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, H) for `input` (B, V)."""
        device = input.device.type
        few = self.weight.numel() < WIDE or torch.compiler.is_compiling()
        if few or device != "cpu" or not torch.is_autocast_enabled(device):
            return super().forward(input)
        dtype = torch.get_autocast_dtype(device)
        with torch.autocast(device, enabled=False):
            out_BH = _WideProduct.apply(input.to(dtype), self.weight)
            product: Tensor = out_BH if self.bias is None else out_BH + self.bias
            return product.to(dtype)


class _WideProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, input_BV: Tensor, weight_HV: Tensor) -> Tensor:
        ctx.save_for_backward(input_BV, weight_HV)
        out_BH = weight_HV.new_zeros(len(input_BV), len(weight_HV))
        for part in _tiles(weight_HV):
            out_BH += F.linear(input_BV[:, part], weight_HV[:, part].to(input_BV.dtype))
        return out_BH

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        input_BV, weight_HV = ctx.saved_tensors  # type: ignore[attr-defined]
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
