"""Batch norm of the frames, split in two: what needs no gradient, and what can be folded.

Nothing that is learned comes before the first batch norm of a model. So the frames are brought to
mean 0 and variance 1 once, without a gradient; its learned scale and shift are given to the layer
behind it, which multiplies them into its own, much smaller matrices. No layer then has to compute a
gradient with respect to the frames, which is a third of its matrix products.

Shape letters: B videos, T frames (padded), D feature size.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from reeltag.layers.kernels import blockwise
from reeltag.layers.kernels.dispatch import faster
from reeltag.layers.norm import MaskedBatchNorm, Statistics, row_statistics

Affine = tuple[Tensor, Tensor]  # scale (D,) and shift (D,): what is meant is scale * frames + shift


def _without_gradient(frames_BTD: Tensor, *_: object) -> bool:
    return not frames_BTD.requires_grad


@faster(cpu=blockwise.unit_variance, when=_without_gradient)
def unit_variance(
    frames_BTD: Tensor,
    mask_BT: Tensor,
    eps: float,
    statistics: Statistics | None,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (x - mean) / sqrt(variance + eps), (B, T, D) in `dtype`, and both statistics (D,).

    Args:
        frames_BTD: x, floating point; finite also in the padding.
        mask_BT: bool, True for a real frame.
        eps: added to the variance.
        statistics: mean and variance; None: those of the real frames of this batch.
        dtype: of the outcome.
    """
    exact = torch.promote_types(frames_BTD.dtype, torch.float32)
    if statistics is None:
        x_ND = frames_BTD.to(exact).flatten(end_dim=1)
        statistics = row_statistics(x_ND, mask_BT.flatten().to(exact))
    mean_D, var_D = statistics
    rstd_D = torch.rsqrt(var_D + eps)
    return torch.addcmul(-mean_D * rstd_D, frames_BTD, rstd_D).to(dtype), mean_D, var_D


class InputNorm(MaskedBatchNorm):
    """`MaskedBatchNorm` of frames whose scale (`weight`) and shift (`bias`) may be left to others.

        forward(x) = weight * standardise(x) + bias

    Args:
        channels: D.
        shift: the shift is learned. What is followed by a batch norm at once takes it away again:
            its gradient is 0, and it may as well stay what it is.
    """

    def __init__(self, channels: int, *, shift: bool = True) -> None:
        super().__init__(channels)
        if not shift:
            del self.bias
            self.register_buffer("bias", torch.zeros(channels))

    def standardise(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return frames (B, T, D) of mean 0 and variance 1, in their dtype, under autocast its own.

        As the module itself: in training by the mean and variance of the real rows, which also
        move the running statistics; in eval mode by the running ones.
        """
        device, dtype = frames_BTD.device.type, frames_BTD.dtype
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        statistics = None if self.training else (self.running_mean, self.running_var)
        out_BTD, *own = unit_variance(frames_BTD, mask_BT, self.eps, statistics, dtype)
        if self.training:
            self.track(*own)
        return out_BTD

    def affine(self, dims: Sequence[int]) -> list[Affine]:
        """Return scale and shift of each stream, given the widths of the streams."""
        return list(zip(self.weight.split(list(dims)), self.bias.split(list(dims)), strict=True))


def folded(weight_KD: Tensor, affine: Affine | None) -> tuple[Tensor, Tensor | None]:
    """Return what gives `weight (scale * x + shift)` as `weight' x + offset`.

    Args:
        weight_KD: linear map.
        affine: scale and shift; None: 1 and 0.

    Returns:
        weight' (K, D), and offset (K,) or None.
    """
    if affine is None:
        return weight_KD, None
    scale_D, shift_D = affine
    with torch.autocast(weight_KD.device.type, enabled=False):
        return weight_KD * scale_D, weight_KD @ shift_D


def behind_offset(
    norm: MaskedBatchNorm, offset_K: Tensor | None
) -> tuple[Tensor, Statistics | None]:
    """Return the shift and the statistics by which `norm` normalises scores without their offset.

    In training the statistics are None, those of the batch: they take the offset away. In eval mode
    they are the running ones, of scores with the offset, which the shift must bring in.
    """
    if norm.training:
        return norm.bias, None
    mean_K, var_K = norm.running_mean.clone(), norm.running_var.clone()
    if offset_K is None:
        return norm.bias, (mean_K, var_K)
    return norm.bias + offset_K * norm.weight * torch.rsqrt(var_K + norm.eps), (mean_K, var_K)
