"""Batch normalisation over real frames only.

Shape letters: N rows of any leading shape, C channels.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

ETA = 9  # of the averaging; the larger, the more the last batches count


class MaskedBatchNorm(nn.Module):
    """Normalise each channel over the rows that `mask` names, with TensorFlow slim's constants.

    In training mode the mean and the biased variance of the real rows are used, and the running
    statistics move towards them, by `momentum` once there were many batches. slim's 0.001 needs
    thousands of batches to leave the initial 0 and 1 behind; until then batch n has the share
    10 / (n + 9), so that the statistics are those of about the last tenth of the batches (the
    polynomial averaging of Shamir & Zhang 2013, arXiv:1212.1824, with eta = 9). The running
    variance is the biased one, as slim keeps it without its fused kernel (PyTorch and slim's fused
    kernel keep N / (N - 1) of it). In eval mode the running statistics are used. Statistics are
    computed in float32 under autocast.

    A training batch of one single row has variance 0 and gives `bias`.

    Args:
        channels: C.
        momentum: least share of a new batch in the running statistics, 1 - slim's decay.
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
        if self.training and mask is None:
            return self._whole_batch(x)
        mean, var = self.running_mean, self.running_var
        if self.training and mask is not None:
            mean, var = self.statistics(x, mask)
        scale = self.weight * torch.rsqrt(var + self.eps)
        return torch.addcmul(self.bias - mean * scale, x, scale)

    def _whole_batch(self, x: Tensor) -> Tensor:
        """Normalise by the statistics of all rows; PyTorch's own kernel is the fastest."""
        normed, mean, rstd = torch.native_batch_norm(
            x.flatten(end_dim=-2), self.weight, self.bias, None, None, True, 0.0, self.eps
        )
        self.track(mean, (rstd**-2 - self.eps).clamp(min=0))
        contiguous: Tensor = _ContiguousGradient.apply(normed)
        return contiguous.view_as(x)

    def statistics(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and biased variance (C,) of the real rows; move the running ones."""
        rows_NC = x.flatten(end_dim=-2)
        mask_N = mask.flatten().to(x.dtype)
        count = mask_N.sum().clamp(min=1)
        with torch.autocast(x.device.type, enabled=False):
            mean = mask_N @ rows_NC / count
            var = mask_N @ (rows_NC - mean).square() / count
        self.track(mean, var)
        return mean, var

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


class _ContiguousGradient(torch.autograd.Function):
    """The identity; PyTorch's kernel is eight times as slow for a gradient that is a slice."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        return gradients[0].contiguous()
