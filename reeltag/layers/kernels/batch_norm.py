"""Batch norm over all rows by PyTorch's own kernel, the fastest where nothing is masked."""

import torch
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context


def batch_norm(
    x: Tensor, mask: Tensor | None, weight_C: Tensor, bias_C: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `layers.norm.batch_norm` returns, for a mask that is None."""
    normed_NC, mean_C, rstd_C = torch.native_batch_norm(
        x.flatten(end_dim=-2), weight_C, bias_C, None, None, True, 0.0, eps
    )
    contiguous_NC: Tensor = _ContiguousGradient.apply(normed_NC)
    return contiguous_NC.view_as(x), mean_C, (rstd_C**-2 - eps).clamp(min=0)


class _ContiguousGradient(torch.autograd.Function):
    """The identity; PyTorch's kernel is eight times as slow for a gradient that is a slice."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> Tensor:
        return gradients[0].contiguous()
