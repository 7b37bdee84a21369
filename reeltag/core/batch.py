"""The one data structure that every model, augmentation and metric agrees on."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class FrameBatch:
    """A padded batch of videos, or of windows of them, given as frame features.

    Attributes:
        frames: (B, T, D) uint8 as stored, or float. Streams are side by side along D in the
            order of the data set. What is where `mask` is False is unspecified.
        mask: (B, T) bool; True for a real frame. Real frames come first.
        labels: (B, C) float32 in [0, 1], or None where nothing is known.
        weights: (B, C) float32, how much each label counts (0 = unrated), or None = all 1.
        ids: B video ids.
        times: (B, 2) float64, seconds at which a window begins and ends; None for whole videos.
    """

    frames: Tensor
    mask: Tensor
    labels: Tensor | None = None
    weights: Tensor | None = None
    ids: tuple[str, ...] = ()
    times: Tensor | None = None

    def __len__(self) -> int:
        """Return B."""
        return len(self.frames)

    def to(self, device: torch.device | str) -> "FrameBatch":
        """Return the batch on `device`; copies from pinned memory do not block."""

        def move(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device, non_blocking=True)

        return replace(
            self,
            frames=self.frames.to(device, non_blocking=True),
            mask=self.mask.to(device, non_blocking=True),
            labels=move(self.labels),
            weights=move(self.weights),
            times=move(self.times),
        )
