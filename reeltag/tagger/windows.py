"""Windows of a batch's videos: which frames a segment is scored by.

A segment is a window [start, start + length) s. It is scored by [start - before + shift,
start + length + after + shift), as far as that is within the video: no frame is repeated, wrapped
around the ends, or made up.

Of a `LongVideo` only the frames of some neighbouring windows are in memory at a time.

Letters in shapes: B videos, T frames, D feature size, N segments of the batch,
L frames of a window.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.batch import FrameBatch
from reeltag.core.timing import frames_between

MOST_FRAMES = 24_000
"""Frames of the windows that are cut together, at most, and of a long video from the first of them
to the last: 140 MB of 1472 values in float32, and 80 published videos."""


@dataclass(frozen=True, kw_only=True)
class LongVideo(FrameBatch):
    """A batch of one video whose windows are read when they are cut.

    Attributes:
        frames: (1, T, D) those by which it is scored as a whole.
        num_frames: of the video.
        read: maps the numbers of the first frame and of that behind the last to frames (n, D).
    """

    num_frames: int
    read: Callable[[int, int], Tensor]


def video_lengths(batch: FrameBatch) -> list[int]:
    """Return the number of frames of each video of a batch."""
    if isinstance(batch, LongVideo):
        return [batch.num_frames]
    lengths: list[int] = batch.mask.sum(dim=1).tolist()
    return lengths


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

    def parts(self, at_once: int, rate: float = 1.0, *, margin: float = 0.0) -> Iterator[slice]:
        """Yield which segments are scored together: neighbours whose frames are few.

        Args:
            at_once: segments at most.
            rate: frames/s.
            margin: seconds around a segment that are scored with it.
        """
        length = np.diff(self.times, axis=1)[:, 0] + margin
        longest = rate * float(length.max(initial=1 / rate))
        at_once = max(1, min(at_once, int(MOST_FRAMES / max(1.0, longest))))
        end = np.maximum.accumulate(self.times[:, 1])
        first = 0
        while first < len(self):
            stop = min(first + at_once, len(self))
            if self.frames[first] > MOST_FRAMES:  # a video that is not in memory
                far = self.times[first, 0] + MOST_FRAMES / rate - margin
                stop = min(stop, max(first + 1, int(np.searchsorted(end, far, "right"))))
            yield slice(first, stop)
            first = stop


@dataclass(frozen=True)
class Windows:
    """Windows of L frames at most, as rows of the frames that they are of.

    Attributes:
        frames: (F, D) as stored.
        places: (n, L) rows of the frames of each window, real ones first; behind the last real one,
            that one again.
        mask: (n, L) true at a real frame; at least one of each window.
        overlap: in how many of the windows a frame is, on average of those that are in one.
    """

    frames: Tensor
    places: Tensor
    mask: Tensor
    overlap: float

    def __len__(self) -> int:
        """Return n."""
        return len(self.places)

    def cut(self) -> tuple[Tensor, Tensor]:
        """Return the frames of each window (n, L, D), and the mask (n, L)."""
        return self.frames[self.places], self.mask

    def distinct(self) -> "Windows":
        """Return the same windows over the frames that are in one of them."""
        used = torch.zeros(len(self.frames), dtype=torch.bool, device=self.frames.device)
        used[self.places] = True
        number = used.cumsum(dim=0) - 1
        return dataclasses.replace(self, frames=self.frames[used], places=number[self.places])

    def to(self, device: torch.device) -> "Windows":
        """Return the windows on a device."""
        frames, places, mask = (each.to(device) for each in (self.frames, self.places, self.mask))
        return Windows(frames, places, mask, self.overlap)


def find_windows(
    batch: FrameBatch,
    segments: Segments,
    rate: float = 1.0,
    *,
    before: float = 0,
    after: float = 0,
    shift: float = 0,
) -> tuple[Windows, Tensor]:
    """Return the windows that hold a frame, on the batch's device, and (n,) their segments.

    Args:
        batch: the videos.
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
    steps = np.arange(int(count.max(initial=0)))
    mask = steps < count[:, None]
    places = first[:, None] + np.minimum(steps, count[:, None] - 1)
    device = batch.frames.device
    if isinstance(batch, LongVideo) and len(held):
        begin, stop = int(first.min()), int((first + count).max())
        frames = batch.read(begin, stop).to(device, non_blocking=True)
        places -= begin
    else:
        frames = batch.frames.flatten(0, 1)
        places += segments.video[held, None] * batch.frames.shape[1]
    used = np.zeros(len(frames), np.bool_)
    used[places] = True
    windows = Windows(
        frames,
        torch.from_numpy(places).to(device, non_blocking=True),
        torch.from_numpy(mask).to(device, non_blocking=True),
        overlap=float(count.sum() / max(1, used.sum())),
    )
    return windows, torch.from_numpy(held)
