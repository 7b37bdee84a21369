"""Batch statistics over all ranks (processes) that share a batch.

Each rank has its own videos of a global batch, and the losses are means over as many videos on each
(the loader sees to that), so that the mean of the ranks' gradients, which DistributedDataParallel
takes, is the gradient of the mean over the global batch. What a layer computes across videos must
be summed over the ranks, in the gradients too.
"""

import torch
import torch.distributed as dist
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context


def several_ranks() -> bool:
    """Return whether other processes hold a part of the batch."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def over_ranks(*parts: Tensor) -> tuple[Tensor, ...]:
    """Return each tensor summed over all ranks, with its gradient; themselves for one rank.

    Args:
        *parts: any shapes, of one dtype; the same on every rank.
    """
    if not several_ranks():
        return parts
    total: Tensor = _SumOverRanks.apply(torch.cat([part.flatten() for part in parts]))
    sums = total.split([part.numel() for part in parts])
    return tuple(x.view_as(part) for x, part in zip(sums, parts, strict=True))


class _SumOverRanks(torch.autograd.Function):
    """y = sum_r x_r on every rank, so that each x_r has the sum of all ranks' gradients of y."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> Tensor:
        return over_ranks(gradients[0])[0]
