"""A curve over time from windows of any length and hop, as one sparse matrix.

Step k of a video covers [k * hop, (k + 1) * hop) seconds. Its value is the mean of the windows
that overlap it, each weighted by the seconds of its overlap; smoothed, it is the mean of the
covered steps around it. Both are linear, so that the curves of all classes are `matrix @ values`.

Letters in shapes: N windows, S steps of all videos, V videos.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

SLACK = 1e-6  # of a step: 0.3 s / 0.1 s is 2.9999999999999996 steps


@dataclass(frozen=True, eq=False)
class StepAxis:
    """Steps of V videos, one video after the other.

    Attributes:
        first: (V,) the first step of each video that is on the axis.
        counts: (V,) how many steps of it are.
    """

    first: NDArray[np.int64]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        """Return S."""
        return int(self.counts.sum())

    @property
    def begins(self) -> NDArray[np.int64]:
        """(V,) the place on the axis of each video's first step."""
        begins: NDArray[np.int64] = np.cumsum(self.counts) - self.counts
        return begins

    def videos(self) -> NDArray[np.int64]:
        """Return (S,) the video of each step."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def steps(self) -> NDArray[np.int64]:
        """Return (S,) the number of each step in its video."""
        return np.arange(len(self)) + np.repeat(self.first - self.begins, self.counts)


def curve_matrix(
    axis: StepAxis,
    videos: NDArray[np.int64],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: int,
) -> csr_array:
    """Return (S, N) the weight of each window at each step; rows add up to 1, or to 0.

    Rows of 0 are steps that no window overlaps, which stay without a value when smoothed.

    Args:
        axis: the steps.
        videos: (N,) the video of each window, in [0, V).
        start: (N,) where it begins, in steps of its video.
        end: (N,) where it ends, > start.
        radius: steps on both sides that a value is smoothed over; 0 = not smoothed.
    """
    first, last = steps_between(start, end)
    low = axis.first[videos]
    first = np.maximum(first, low)
    last = np.minimum(last, low + axis.counts[videos])
    window, step = _ranges(first, np.maximum(last - first, 0))
    overlap = np.minimum(end[window], step + 1) - np.maximum(start[window], step)
    row = step + (axis.begins - axis.first)[videos[window]]
    shape = (len(axis), len(start))
    mean = _rows_of_sum_1(csr_array((np.maximum(overlap, SLACK), (row, window)), shape))
    return _smoothed(axis, mean, radius) if radius else mean


def steps_between(
    start: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first step that each interval overlaps, and one past the last, at least one."""
    first = np.floor(start + SLACK).astype(np.int64)
    return first, np.maximum(np.ceil(end - SLACK).astype(np.int64), first + 1)


def _smoothed(axis: StepAxis, mean: csr_array, radius: int) -> csr_array:
    """Return the matrix of the mean over the covered steps at most `radius` away."""
    place, videos = np.arange(len(axis)), axis.videos()
    covered = np.diff(mean.indptr) > 0
    begins, counts = axis.begins[videos], axis.counts[videos]
    first = np.maximum(place - radius, begins)
    count = np.minimum(place + radius + 1, begins + counts) - first
    to, of = _ranges(first, np.where(covered, count, 0))
    band = csr_array((covered[of].astype(np.float64), (to, of)), (len(axis), len(axis)))
    return _rows_of_sum_1(band @ mean)


def _ranges(
    first: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each number of the ranges [first, first + count) its range, and the number."""
    of = np.repeat(np.arange(len(counts)), counts)
    return of, np.arange(len(of)) + (first - (np.cumsum(counts) - counts))[of]


def _rows_of_sum_1(matrix: csr_array) -> csr_array:
    sums = matrix.sum(axis=1)
    scale = np.divide(1, sums, out=np.zeros_like(sums), where=sums > 0)
    matrix.data *= np.repeat(scale, np.diff(matrix.indptr))
    return matrix
