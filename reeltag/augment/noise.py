"""Masked Gaussian noise: x + mask * noise, where the mask takes a fraction of the dimensions.

Source: Autohome 2019, sec. 3.5 and Fig. 5 (half of the dimensions; the standard deviation is not
given). Axon 2018, sec. 3.1, use 0.03 on all dimensions of video means.

Shape letters: B items, T frames, D features, N frames of all items together.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

EXACT = 2**22  # numbers that a CPU draws one by one: 14 ms; 80 whole videos would take 100 ms
SHIFT = 16  # frames between the windows of two items, where there are more


def standard_deviation(x_ND: Tensor, mask_N: Tensor) -> Tensor:
    """Return (D,) the standard deviation of each dimension over the real frames.

    Args:
        x_ND: features, 0 where `mask_N` is False.
        mask_N: bool, True for a real frame.
    """
    num = mask_N.sum().clamp(min=1)
    mean_D = x_ND.sum(dim=0) / num
    deviation_ND = (x_ND - mean_D) * mask_N.unsqueeze(1)
    return (deviation_ND.square().sum(dim=0) / num).sqrt()


def gaussian_field(
    shape: tuple[int, int, int], *, fraction: float = 1.0, device: torch.device | str = "cpu"
) -> Tensor:
    """Return (B, T, D) standard normal numbers to read from, never to write to.

    All numbers of one item are independent draws, and so are those of two items at the same frame
    and dimension. On a CPU, beyond 4 M numbers, the items look at one line of independent draws
    through windows of T * D that begin 16 frames and 1 dimension apart: what item b gets at frame
    t, item b + 1 gets 16 frames earlier, one dimension to the left. torch's generator for CPUs
    is serial, and 80 videos of 300 frames would cost 6 % of a training step.

    Args:
        shape: B, T and D.
        fraction: of the numbers that are not set to 0, each by a draw of its own; in (0, 1].
        device: on which they are drawn, from torch's generator there.
    """
    num_items, num_frames, dim = shape
    step, length = SHIFT * dim + 1, num_frames * dim
    size = num_items * length
    windows = torch.device(device).type == "cpu" and size > EXACT
    if windows:
        size = length + (num_items - 1) * step
    line = torch.randn(size, device=device)
    if fraction < 1:
        line *= torch.rand(size, device=device) < fraction
    if not windows:
        return line.view(shape)
    return line.as_strided(shape, (step, dim, 1))


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise for a batch: `spread` times `field`.

    Attributes:
        spread: (B, D) standard deviation for each item and dimension, 0 for those that get none.
        field: (B, T, D) standard normal numbers (some 0, where frames choose their own dimensions).
    """

    spread: Tensor
    field: Tensor

    def add_(self, x_BTD: Tensor, mask_BT: Tensor, items: slice) -> Tensor:
        """Add the noise of some items to their features, in place; padding becomes 0."""
        x_BTD.addcmul_(self.spread[items].unsqueeze(1), self.field[items])
        return x_BTD.masked_fill_(~mask_BT.unsqueeze(-1), 0.0)


def draw_noise(
    shape: tuple[int, int, int], deviation_D: Tensor, fraction: float, *, per_frame: bool
) -> Noise:
    """Return noise for a batch, all of it from torch's generator of the device.

    Args:
        shape: B, T and D.
        deviation_D: standard deviation of the noise in each dimension.
        fraction: of the dimensions that get noise, each with this chance; in (0, 1].
        per_frame: choose other dimensions for each frame, not once for the item.
    """
    num_items, _, dim = shape
    device = deviation_D.device
    field_BTD = gaussian_field(shape, fraction=fraction if per_frame else 1.0, device=device)
    spread_BD = deviation_D.expand(num_items, dim)
    if not per_frame and fraction < 1:
        spread_BD = spread_BD * (torch.rand((num_items, dim), device=device) < fraction)
    return Noise(spread=spread_BD, field=field_BTD)
