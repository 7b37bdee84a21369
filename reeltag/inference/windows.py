"""Which seconds a segment is scored by, and these frames out of a batch.

A segment at s is [s, s + 5). Its window is [s - before + shift, s + 5 + after + shift), as far as
that is within the video: no frame is repeated, wrapped around the ends, or invented.

Letters in shapes: B videos, T frames, D feature size, N segments of the batch,
L frames of a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reeltag.core.batch import FrameBatch

SEGMENT_SECONDS = 5


def segment_starts(num_frames: int, *, skip_head: int = 0, skip_tail: int = 0) -> range:
    """Return the starts, in seconds, of a video's segments; the last one may be partial.

    >>> list(segment_starts(17))
    [0, 5, 10, 15]
    >>> list(segment_starts(17, skip_head=1, skip_tail=2))
    [5]
    """
    num_segments = -(-num_frames // SEGMENT_SECONDS)
    step = SEGMENT_SECONDS
    return range(skip_head * step, (num_segments - skip_tail) * step, step)


@dataclass(frozen=True)
class Segments:
    """N segments of a batch's videos, on the CPU, video by video.

    Attributes:
        video: (N,) int64, row of the batch.
        start: (N,) int64, seconds.
        frames: (N,) int64, frames of the video.
    """

    video: Tensor
    start: Tensor
    frames: Tensor

    @classmethod
    def on(cls, grid: Sequence[range], lengths: Sequence[int]) -> "Segments":
        """Return the segments with the starts `grid`, of videos with so many frames."""
        counts = torch.tensor([len(starts) for starts in grid])
        starts = [start for video in grid for start in video]
        return cls(
            torch.arange(len(grid)).repeat_interleave(counts),
            torch.tensor(starts, dtype=torch.int64),
            torch.tensor(lengths, dtype=torch.int64).repeat_interleave(counts),
        )

    def __len__(self) -> int:
        """Return N."""
        return len(self.start)

    def part(self, some: slice | Tensor) -> "Segments":
        """Return some of the segments."""
        return Segments(self.video[some], self.start[some], self.frames[some])


def cut_windows(
    batch: FrameBatch, segments: Segments, *, before: int = 0, after: int = 0, shift: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the windows that hold a frame: frames (n, L, D), mask (n, L), and (n,) their segments.

    Real frames come first, as everywhere.

    Args:
        batch: the videos; frames and mask are on its device.
        segments: N of their segments.
        before: seconds before the segment.
        after: seconds after it.
        shift: seconds that the window is moved by.
    """
    longest = before + SEGMENT_SECONDS + after
    first = (segments.start + (shift - before)).clamp(min=0)
    last = torch.minimum(segments.start + (shift + SEGMENT_SECONDS + after), segments.frames)
    held = (last > first).nonzero().flatten()
    first, last, video = first[held], last[held], segments.video[held]
    places = first.unsqueeze(1) + torch.arange(longest)
    mask = places < last.unsqueeze(1)
    num_steps = batch.frames.shape[1]
    flat = places.clamp(max=num_steps - 1) + video.unsqueeze(1) * num_steps
    device = batch.frames.device
    frames = batch.frames.flatten(0, 1)[flat.to(device, non_blocking=True)]
    return frames, mask.to(device, non_blocking=True), held
