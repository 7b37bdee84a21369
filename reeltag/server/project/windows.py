"""Windows of all videos that can be rated, their probabilities, and features to compare them by.

Letters in shapes: W windows, D values of a feature, N moments that are scored, Q rated windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reeltag.core.probability import sigmoid
from reeltag.core.seeding import derive_seed
from reeltag.core.timing import frames_between
from reeltag.data.dataset import Dataset
from reeltag.data.loader import Loader
from reeltag.library.database.ratings import LibraryRating
from reeltag.server.project.curves import CurveStore
from reeltag.server.project.videos import VideoTable

WINDOW_S = 5.0
_LENGTHS_S = 1.0, 60.0  # of windows that a person can look at
_SMALLEST = 1e-6
_MOST_VALUES = 20_000_000  # of features as they are; more are projected
_PROJECTED = 256


class VideoWindow(NamedTuple):
    """Seconds of a video."""

    video: str
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class WindowGrid:
    """W windows, one behind the other, of all videos that have features.

    Attributes:
        videos: whose windows they are.
        length_s: of a window; the last one of a video is shorter, or longer by less than half.
        video: (W,) number of the video in `videos`, ascending.
        start_s: (W,) seconds.
        end_s: (W,) seconds.
    """

    videos: VideoTable
    length_s: float
    video: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]

    @classmethod
    def of(cls, videos: VideoTable, length_s: float) -> "WindowGrid":
        """Return the windows of some length of all videos."""
        usable = np.flatnonzero((videos.rows >= 0) & (videos.seconds > 0))
        seconds: NDArray[np.float64] = videos.seconds[usable]
        count = np.maximum(1, np.floor(seconds / length_s + 0.5)).astype(np.int64)
        video = np.repeat(usable, count)
        number = np.arange(len(video)) - np.repeat(np.cumsum(count) - count, count)
        start_s: NDArray[np.float64] = number * np.float64(length_s)
        is_last = number + 1 == np.repeat(count, count)
        end_s: NDArray[np.float64] = start_s + np.float64(length_s)
        end_s[is_last] = np.repeat(seconds, count)[is_last]
        return cls(videos, length_s, video, start_s, end_s)

    def __len__(self) -> int:
        """Return W."""
        return len(self.video)

    @cached_property
    def first(self) -> dict[int, tuple[int, int]]:
        """Number of a video -> its first window, and the one behind its last."""
        numbers, first, count = np.unique(self.video, return_index=True, return_counts=True)
        columns = (numbers.tolist(), first.tolist(), (first + count).tolist())
        return {video: (start, stop) for video, start, stop in zip(*columns, strict=True)}

    def moment(self, window: int) -> VideoWindow:
        """Return where a window is."""
        video = self.videos.ids[self.video[window]]
        return VideoWindow(video, round(float(self.start_s[window]), 3), self._end(window))

    def _end(self, window: int) -> float:
        return round(float(self.end_s[window]), 3)

    def rated(self, ratings: Sequence[LibraryRating]) -> NDArray[np.bool_]:
        """Return (W,) which windows are rated: by half or more of them, or as a part of a no."""
        is_rated = np.zeros(len(self), bool)
        for rating in ratings:
            at = self.videos.places.get(rating.video_id, -1)
            start, stop = self.first.get(at, (0, 0))
            if rating.end_s is None:
                is_rated[start:stop] |= rating.value is not None and not rating.is_yes
                continue
            starts, ends = self.start_s[start:stop], self.end_s[start:stop]
            common = np.minimum(ends, rating.end_s) - np.maximum(starts, rating.start_s)
            is_rated[start:stop] |= 2 * common >= ends - starts
        return is_rated

    def nearest(self, moment: VideoWindow) -> int | None:
        """Return the window that has most of a moment; None = its video has no features."""
        start, stop = self.first.get(self.videos.places.get(moment.video, -1), (0, 0))
        if start == stop:
            return None
        middle = (moment.start_s + moment.end_s) / 2
        return start + int(np.abs(self._middles[start:stop] - middle).argmin())

    @cached_property
    def _middles(self) -> NDArray[np.float64]:
        return (self.start_s + self.end_s) / 2


def window_length(curves: CurveStore | None) -> float:
    """Return the seconds of windows to rate: those of a finder's windows, or else 5."""
    if curves is None or curves.meta.basis != "finder":
        return WINDOW_S
    shortest, longest = _LENGTHS_S
    return min(longest, max(shortest, curves.meta.length_s))


def window_probs(curves: CurveStore, index: int, grid: WindowGrid) -> NDArray[np.float64]:
    """Return (W,) the mean probability of a class in each window; NaN = it has no curve."""
    places = np.full(len(grid.videos), -1)
    for video, at in curves.places.items():
        if video in grid.videos.places:
            places[grid.videos.places[video]] = at
    return _mean_probs(curves, index, places[grid.video], grid.start_s, grid.end_s)


def moment_probs(
    curves: CurveStore, index: int, moments: Sequence[VideoWindow]
) -> NDArray[np.float64]:
    """Return (N,) the mean probability of a class in each moment; NaN = it has no curve."""
    found = np.full(len(moments), np.nan)
    places = np.array([curves.places.get(of.video, -1) for of in moments], np.int64)
    known = np.flatnonzero(places >= 0)
    start_s = np.array([of.start_s for of in moments], np.float64)[known]
    end_s = np.array([of.end_s for of in moments], np.float64)[known]
    first, last = _steps(curves, places[known], start_s, end_s)
    count = last - first
    owner = np.repeat(np.arange(len(known)), count)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    logits = np.asarray(curves.logits.of_class(index))[first[owner] + within].astype(np.float32)
    there = np.isfinite(logits)
    sums = np.bincount(owner[there], sigmoid(logits[there]), minlength=len(known))
    number = np.bincount(owner[there], minlength=len(known))
    found[known] = np.where(number > 0, sums / np.maximum(number, 1), np.nan)
    return found


def _mean_probs(
    curves: CurveStore,
    index: int,
    places: NDArray[np.int64],
    start_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (N,) mean probabilities; `places` (N,) are videos of the curves, -1 = not there."""
    logits = np.asarray(curves.logits.of_class(index), np.float32)
    there = np.isfinite(logits)
    probs = np.where(there, sigmoid(np.where(there, logits, 0), np.float32), 0)
    sums = np.append(0.0, np.cumsum(probs, dtype=np.float64))
    counts = np.append(0, np.cumsum(there))
    found = np.full(len(places), np.nan)
    known = np.flatnonzero(places >= 0)
    first, last = _steps(curves, places[known], start_s[known], end_s[known])
    number = counts[last] - counts[first]
    found[known] = np.where(number > 0, (sums[last] - sums[first]) / np.maximum(number, 1), np.nan)
    return found


def _steps(
    curves: CurveStore,
    place: NDArray[np.int64] | int,
    start_s: NDArray[np.float64] | float,
    end_s: NDArray[np.float64] | float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first step of moments of videos, and the one behind their last."""
    steps = np.maximum(1, curves.steps[place])
    first, count = frames_between(start_s, end_s, steps, 1 / curves.meta.hop_s)
    return curves.first[place] + first, curves.first[place] + first + count


def window_features(data: Dataset, grid: WindowGrid) -> NDArray[np.float32]:
    """Return (W, D) the mean features of each window, centred, and of length 1 in each stream.

    All frames are read. Where that are many values, they are projected on 256 random directions,
    which keeps the angles between windows but for some 0.06.

    Args:
        data: the data set.
        grid: of its videos.
    """
    widths = [stream.width for stream in data.streams]
    found = np.zeros((len(grid), sum(widths)), np.float32)
    window_of_row = {int(grid.videos.rows[video]): span for video, span in grid.first.items()}
    items = data.videos("all", rows=np.array(sorted(window_of_row), np.int64))
    where = [window_of_row[row] for row in sorted(window_of_row)]
    at = 0
    for batch in Loader(items, batch_size=8, labels=False):
        for frames, mask in zip(batch.frames.numpy(), batch.mask.numpy(), strict=True):
            first, last = where[at]
            at += 1
            frames = frames[mask]
            span = slice(first, last)
            ends = frames_between(
                grid.start_s[span], grid.end_s[span], len(frames), data.features.rate_hz
            )
            for window, (begin, count) in enumerate(zip(*ends, strict=True)):
                found[first + window] = frames[begin : begin + count].mean(axis=0, dtype=np.float32)
    return _balanced(data, found, widths)


def _balanced(
    data: Dataset, means: NDArray[np.float32], widths: Sequence[int]
) -> NDArray[np.float32]:
    """Return stored means (W, D) as directions from the mean of all, of length 1 per stream."""
    parts, first = list[NDArray[np.float32]](), 0
    for stream, width in zip(data.features.streams, widths, strict=True):
        values = stream.dequantise(means[:, first : first + width])
        values -= values.mean(axis=0)
        parts.append(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), _SMALLEST))
        first += width
    features = np.concatenate(parts, axis=1) / np.float32(np.sqrt(len(parts)))
    if features.size > _MOST_VALUES and features.shape[1] > _PROJECTED:
        random = np.random.default_rng(derive_seed(0, "window features"))
        directions = random.standard_normal((features.shape[1], _PROJECTED), np.float32)
        features = features @ (directions / np.float32(np.sqrt(_PROJECTED)))
    return features
