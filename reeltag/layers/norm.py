"""Batch normalisation over real frames only.

Shape letters: N rows of any leading shape, C channels.
"""

import torch
from torch import Tensor, nn

from reeltag.layers.kernels import batch_norm as kernel
from reeltag.layers.kernels.dispatch import faster
from reeltag.layers.ranks import over_ranks, several_ranks

ETA = 9  # of the averaging; the larger, the more the last batches count

Statistics = tuple[Tensor, Tensor]  # mean (C,) and biased variance (C,)


def row_statistics(x_NC: Tensor, mask_N: Tensor) -> Statistics:
    """Return mean and biased variance (C,) of the rows that count, on all ranks together.

    Args:
        x_NC: float32 or float64, finite everywhere.
        mask_N: 1 for a row that counts, else 0, in the dtype of `x_NC`.
    """
    count, sum_C = over_ranks(mask_N.sum(), mask_N @ x_NC)
    mean_C = sum_C / count.clamp(min=1)
    (square_C,) = over_ranks(mask_N @ (x_NC - mean_C).square())
    return mean_C, square_C / count.clamp(min=1)


def standardised(
    x: Tensor, statistics: Statistics, weight_C: Tensor, bias_C: Tensor, eps: float
) -> Tensor:
    """Return weight * (x - mean) / sqrt(variance + eps) + bias, of the shape of `x` (..., C)."""
    mean_C, var_C = statistics
    scale_C = weight_C * torch.rsqrt(var_C + eps)
    return torch.addcmul(bias_C - mean_C * scale_C, x, scale_C)


def _whole_batch(x: Tensor, mask: Tensor | None, *_: object) -> bool:
    return mask is None and not several_ranks()


@faster(cpu=kernel.batch_norm, cuda=kernel.batch_norm, when=_whole_batch)
def batch_norm(
    x: Tensor, mask: Tensor | None, weight_C: Tensor, bias_C: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows normalised by their own statistics, and these: mean and biased variance (C,).

    The statistics that are returned have no gradient.

    Args:
        x: (..., C), float32 or float64, finite everywhere.
        mask: (...) bool, the rows of which the statistics are; None for all. All are normalised.
        weight_C: scale.
        bias_C: shift.
        eps: added to the variance.
    """
    counted = torch.ones_like(x[..., 0]) if mask is None else mask.to(x.dtype)
    statistics = row_statistics(x.flatten(end_dim=-2), counted.flatten())
    mean_C, var_C = statistics
    return standardised(x, statistics, weight_C, bias_C, eps), mean_C.detach(), var_C.detach()


class MaskedBatchNorm(nn.Module):
    """Normalise each channel over the rows that `mask` names, with TensorFlow slim's constants.

    In training mode the mean and the biased variance of the real rows are used, and the running
    statistics move towards them, by `momentum` once there were many batches. slim's 0.001 needs
    thousands of batches to leave the initial 0 and 1 behind; until then batch n has the share
    10 / (n + 9), so that the statistics are those of about the last tenth of the batches (the
    polynomial averaging of Shamir & Zhang 2013, arXiv:1212.1824, with eta = 9). The running
    variance is the biased one, as slim keeps it without its fused kernel (PyTorch and slim's fused
    kernel keep N / (N - 1) of it). In eval mode the running statistics are used. Statistics are
    those of the batch on all ranks together, in float32 under autocast.

    A training batch of one single row has variance 0 and gives `bias`.

    Args:
        channels: C.
        momentum: least weight of a new batch in the running statistics, 1 - slim's decay.
        eps: added to the variance.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches: Tensor

    def __init__(self, channels: int, *, momentum: float = 0.001, eps: float = 1e-3) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches", torch.zeros(()))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return `x` (..., C) normalised, float32 (float64 stays); rows outside `mask` too.

        Args:
            x: (..., C) floating point, finite everywhere.
            mask: (...) bool, the rows that count, or None for all.
        """
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        if not self.training:
            statistics = self.running_mean, self.running_var
            return standardised(x, statistics, self.weight, self.bias, self.eps)
        normed, mean_C, var_C = batch_norm(x, mask, self.weight, self.bias, self.eps)
        self.track(mean_C, var_C)
        return normed

    @torch.no_grad()
    def track(self, mean: Tensor, var: Tensor) -> None:
        """Move the running statistics towards `mean` and `var` (C,)."""
        self.num_batches += 1
        share = ((ETA + 1) / (self.num_batches + ETA)).clamp(min=self.momentum)
        share = share.to(self.running_mean.dtype)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(var.to(self.running_var.dtype), share)

    def settle(self) -> None:
        """Let the running statistics be those of a long training: each batch has `momentum`."""
        self.num_batches.fill_((ETA + 1) / self.momentum)
