"""Windows of a batch's videos: which frames a segment is scored by.

A segment is a window [start, start + length) s. It is scored by [start - before + shift,
start + length + after + shift), as far as that is within the video: no frame is repeated, wrapped
around the ends, or made up.

Letters in shapes: B videos, T frames, D feature size, N segments of the batch,
L frames of a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.batch import FrameBatch
from reeltag.core.timing import frames_between


@dataclass(frozen=True)
class Segments:
    """N segments of a batch's videos, on the CPU, video by video.

    Attributes:
        video: (N,) row of the batch.
        times: (N, 2) seconds at which each begins and ends; the last may end behind its video.
        frames: (N,) frames of the video.
    """

    video: NDArray[np.int64]
    times: NDArray[np.float64]
    frames: NDArray[np.int64]

    @classmethod
    def at(cls, times: Sequence[NDArray[np.float64]], lengths: Sequence[int]) -> "Segments":
        """Return the segments at given times (n, 2) of each video, of so many frames each."""
        counts = [len(each) for each in times]
        return cls(
            np.repeat(np.arange(len(lengths)), counts),
            np.concatenate([np.zeros((0, 2)), *times]),
            np.repeat(np.array(lengths, np.int64), counts),
        )

    def __len__(self) -> int:
        """Return N."""
        return len(self.video)

    def part(self, some: slice) -> "Segments":
        """Return some of the segments."""
        return Segments(self.video[some], self.times[some], self.frames[some])


def cut_windows(
    batch: FrameBatch,
    segments: Segments,
    rate: float = 1.0,
    *,
    before: float = 0,
    after: float = 0,
    shift: float = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the windows that hold a frame: frames (n, L, D), mask (n, L), and (n,) their segments.

    Real frames come first, as everywhere.

    Args:
        batch: the videos; frames and mask are on its device.
        segments: N of their segments.
        rate: frames/s.
        before: seconds before the segment.
        after: seconds after it.
        shift: seconds that the window is moved by.
    """
    start = segments.times[:, 0] + (shift - before)
    end = np.minimum(segments.times[:, 1] + (shift + after), segments.frames / rate)
    start = np.maximum(start, 0)
    held = np.flatnonzero(end > start)
    first, count = frames_between(start[held], end[held], segments.frames[held], rate)
    places = first[:, None] + np.arange(int(count.max(initial=0)))
    mask = places < (first + count)[:, None]
    num_steps = batch.frames.shape[1]
    flat = np.minimum(places, num_steps - 1) + segments.video[held, None] * num_steps
    device = batch.frames.device
    frames = batch.frames.flatten(0, 1)[torch.from_numpy(flat).to(device, non_blocking=True)]
    return (
        frames,
        torch.from_numpy(mask).to(device, non_blocking=True),
        torch.from_numpy(held),
    )
