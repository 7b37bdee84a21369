"""Intervals of classes from scored windows: when does it begin, and when does it end?

    windows -> curve -> runs above a low threshold that reach a high one -> joined over gaps

The curve of a class has a value for each step of `hop_s`: the mean of the windows that overlap the
step, weighted by their overlap. It is a mean of probabilities, not of logits: a window next to an
event has a logit of -10 as easily as one of -5, and would by it pull the value of a step far below
any threshold that one window within the event is above of; probabilities are bounded, and their
mean is half the event's height where half the windows see the event. An interval begins and ends
where the curve crosses the low threshold, and reaches the high one in between (hysteresis).

Windows stream by, video after video, and intervals are returned as soon as no later window can
change them. Memory: a block of steps by classes, and the windows that overlap the last steps;
neither grows with the length of a video or the number of videos.

Letters in shapes: N windows, C classes, M intervals.
"""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from annotated_types import Gt, Le
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from reeltag.core.bounds import Amount, CheckedFields, Rate
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.probability import prob_logits, sigmoid
from reeltag.predictions.interval_rows import Intervals, ScoredWindows
from reeltag.predictions.runs import ROUNDING, RunFinder, Runs
from reeltag.predictions.steps import SLACK, StepAxis, curve_matrix, steps_between

_CELLS = 1 << 20  # steps x classes of a block


@dataclass(frozen=True, kw_only=True)
class IntervalConfig(CheckedFields):
    """How windows are laid over a video, and how their scores become intervals."""

    length_s: Rate = 5.0
    """Seconds of a window."""
    hop_s: Rate = 1.0
    """Seconds from the start of a window to that of the next, and the resolution of intervals."""
    smooth_s: Amount = 0.0
    """Seconds that the curve is averaged over; less than three hops = not smoothed."""
    min_length_s: Amount = 2.0
    """Shorter intervals are dropped."""
    merge_gap_s: Amount = 2.0
    """Intervals of a class that are at most so many seconds apart become one."""
    low_odds: Annotated[float, Gt(0), Le(1)] = 0.25
    """An interval must reach the threshold of its class, and lasts while its odds p / (1 - p) are
    at least this fraction of the threshold's: for 0.25, of 0.5 to 0.2, of 0.9 to 0.69."""

    ranked: bool = False
    """Rank intervals by how far they stand out of what is around them (`rank_intervals`), whatever
    the thresholds; `merge_gap_s` and `low_odds` then have no meaning."""

    def check(self) -> None:
        """Raise ConfigError where windows leave seconds between them."""
        self.check_field(
            "hop_s", self.hop_s <= self.length_s, f"at most length_s ({self.length_s:g})"
        )

    def windows(self, duration_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the starts and ends, in seconds, of the windows of a video; none goes beyond it.

        The last one is the first that ends with the video.

        >>> [times.tolist() for times in IntervalConfig(length_s=4, hop_s=2).windows(7)]
        [[0.0, 2.0, 4.0], [4.0, 6.0, 7.0]]
        """
        number = max(1, 1 + int(np.ceil((duration_s - self.length_s) / self.hop_s - SLACK)))
        start = np.arange(number, dtype=np.float64) * self.hop_s
        return start, np.minimum(start + self.length_s, duration_s)

    def low_logits(self, high_logits: ArrayLike) -> NDArray[np.float64]:
        """Return the logits of the low thresholds that belong to high ones."""
        low: NDArray[np.float64] = np.asarray(high_logits, np.float64) + np.log(self.low_odds)
        return low


DEFAULT_INTERVALS = IntervalConfig()


@dataclass(frozen=True, eq=False)
class _Windows:
    """Windows: the number of the video (n,), where they begin and end in steps, probs (n, C)."""

    videos: NDArray[np.int64]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    probs: NDArray[np.floating]

    def take(self, mask: NDArray[np.bool_]) -> "_Windows":
        """Return some windows."""
        return _Windows(*(column[mask] for column in self._columns()))

    def followed_by(self, others: "_Windows") -> "_Windows":
        """Return these windows, and then others."""
        pairs = zip(self._columns(), others._columns(), strict=True)
        return _Windows(*map(np.concatenate, pairs))

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.videos, self.starts, self.ends, self.probs


@dataclass(frozen=True, eq=False)
class _OpenVideo:
    """The video of the last window so far, of which more windows may come.

    Attributes:
        id: its name.
        last_start_s: where the last window starts.
        end: where it ends as far as is known, in steps.
        next_step: the first one that is not on a curve yet.
        windows: those that later steps still need.
    """

    id: pa.Scalar
    last_start_s: float
    end: float
    next_step: int
    windows: _Windows


class IntervalFinder:
    """Finds intervals in a stream of scored windows.

    Intervals of one call are in order of video, class and time. A long video's come in several
    calls, the earlier ones first.

    Args:
        config: resolution, smoothing, lengths and gaps.
        high_logits: (C,) the threshold of each class; inf = no intervals of it.
        low_logits: (C,) how low an interval may fall; None = by `config.low_odds`.

    Raises:
        ConfigError: a low threshold is above its high one, or one is not a number.
    """

    def __init__(
        self, config: IntervalConfig, high_logits: ArrayLike, low_logits: ArrayLike | None = None
    ) -> None:
        high = np.asarray(high_logits, np.float64)
        low = config.low_logits(high) if low_logits is None else np.asarray(low_logits, np.float64)
        if low.shape != high.shape or not (low <= high).all():
            raise ConfigError("low thresholds must be at most the high ones, one for each class")
        self.config = config
        self._num_classes = len(high)
        self._radius = _radius(config)
        gap = int(config.merge_gap_s / config.hop_s + SLACK)
        self._runs = RunFinder(_curve_values(low), _curve_values(high), gap)
        self._open: _OpenVideo | None = None

    def add(self, windows: ScoredWindows) -> Intervals:
        """Return the intervals that are complete with these windows.

        Args:
            windows: of one or more videos, the first of which may be that of the last call.

        Raises:
            DataError: the windows of a video are not in order, one ends before it starts or
                starts before 0, or a logit is NaN.
        """
        rows = max(1, _CELLS // self._num_classes)
        firsts = range(0, len(windows), rows)
        return Intervals.concatenate([self._advance(windows.slice(i, i + rows)) for i in firsts])

    def finish(self) -> Intervals:
        """Return the intervals that were still open: no window follows."""
        if self._open is None:
            return Intervals.concatenate([])
        empty = np.empty(0)
        nothing = ScoredWindows(
            ids=pa.array([], pa.string()),
            start_s=empty,
            end_s=empty,
            logits=np.empty((0, self._num_classes), np.float32),
        )
        return self._advance(nothing, last=True)

    def _advance(self, windows: ScoredWindows, *, last: bool = False) -> Intervals:
        """Put windows onto the curves, and return what is complete."""
        ids, known = self._joined(windows)
        videos, start, end, before = known.videos, known.starts, known.ends, self._open
        ends, next_step = np.zeros(len(ids)), np.zeros(len(ids), np.int64)
        if before is not None:
            ends[0], next_step[0] = before.end, before.next_step
        np.maximum.at(ends, videos, end)
        stop = next_step.copy()  # steps before it are final
        np.maximum.at(stop, videos, steps_between(start, end)[1])
        stop += 1  # one without a window, between two videos
        top = stop.copy()
        if not last:
            top[-1] = int(start[-1] + SLACK)  # no later window overlaps the steps before it
            stop[-1] = max(next_step[-1], top[-1] - self._radius)
        first = np.maximum(next_step - self._radius, 0)
        axis = StepAxis(first, np.maximum(top, stop) - first)
        row_videos, row_steps = axis.videos(), axis.steps()
        final = (row_steps >= next_step[row_videos]) & (row_steps < stop[row_videos])
        matrix = curve_matrix(axis, videos, start, end, self._radius)[np.flatnonzero(final)]
        front = (len(ids), 0) if last else (len(ids) - 1, int(stop[-1]))
        runs = self._blocks(matrix, known.probs, row_videos[final], row_steps[final], front)
        self._open = None
        if not last:
            kept = (videos == len(ids) - 1) & (end > stop[-1] - self._radius - SLACK)
            self._open = _OpenVideo(
                id=ids[-1],
                last_start_s=float(windows.start_s[-1]),
                end=float(ends[-1]),
                next_step=int(stop[-1]),
                windows=known.take(kept),
            )
            self._runs.renumber(0)
        return intervals_of_runs(runs, ids, ends * self.config.hop_s, self.config)

    def _joined(self, windows: ScoredWindows) -> tuple[pa.Array, _Windows]:
        """Return the ids of videos, and windows behind those of the open video, number 0."""
        before, hop = self._open, self.config.hop_s
        windows.check(self._num_classes)
        videos, ids = windows.numbered(None if before is None else before.id)
        windows.check_order(videos, 0 if before is None else before.last_start_s)
        start, end = (np.asarray(x, np.float64) / hop for x in (windows.start_s, windows.end_s))
        new = _Windows(videos, start, end, sigmoid(windows.logits, np.float32))
        if before is None:
            return ids, new
        held = dataclasses.replace(before.windows, videos=np.zeros(len(before.windows.starts), int))
        return ids, held.followed_by(new) if len(windows) else held

    def _blocks(
        self,
        matrix: csr_array,
        probs: NDArray[np.floating],
        videos: NDArray[np.int64],
        steps: NDArray[np.int64],
        front: tuple[int, int],
    ) -> Runs:
        """Return the final runs of the curves `matrix @ probs`, some steps at a time."""
        matrix = matrix.astype(probs.dtype)
        found = [Runs.none()]
        width = max(1, _CELLS // self._num_classes)
        for begin in range(0, len(steps), width):
            part = slice(begin, begin + width)
            rows = matrix[part]
            curve = np.ascontiguousarray((rows @ probs).T)
            curve[:, np.diff(rows.indptr) == 0] = -np.inf
            follows = part.stop < len(steps)
            after = (int(videos[part.stop]), int(steps[part.stop])) if follows else front
            found.append(self._runs.add(curve, videos[part], steps[part], after))
        return Runs.concatenate(found)


def intervals_of_runs(
    runs: Runs, ids: pa.Array, ends_s: NDArray[np.float64], config: IntervalConfig
) -> Intervals:
    """Return runs as intervals in seconds, by video, class and time, without too short ones.

    Args:
        runs: of the videos of `ids`.
        ids: (V,) strings.
        ends_s: (V,) how long each video is.
        config: length of a step and of the shortest interval.
    """
    hop = config.hop_s
    start, end = runs.begin * hop, np.minimum(runs.end * hop, ends_s[runs.videos])
    long_enough = end - start >= config.min_length_s - SLACK * hop
    order = np.lexsort((runs.begin, runs.classes, runs.videos))
    order = order[long_enough[order]]
    runs, start, end = runs.take(order), start[order], end[order]
    peak = runs.peak.astype(np.float64)
    peak_start, peak_end = runs.peak_step * hop, (runs.peak_step + 1) * hop
    return Intervals(
        ids=ids.take(pa.array(runs.videos)),
        classes=runs.classes.astype(np.int32),
        start_s=start,
        end_s=end,
        peak_s=(peak_start + np.minimum(peak_end, ends_s[runs.videos])) / 2,
        scores=prob_logits(peak),
        mean_prob=(runs.sum_end - runs.sum_begin) / (runs.end - runs.begin),
    )


def find_intervals(
    windows: ScoredWindows,
    config: IntervalConfig,
    high_logits: ArrayLike,
    low_logits: ArrayLike | None = None,
) -> Intervals:
    """Return all intervals of windows in memory; arguments and errors as `IntervalFinder`."""
    finder = IntervalFinder(config, high_logits, low_logits)
    parts = [finder.add(windows), finder.finish()]
    found = Intervals.concatenate(parts)
    order = windows.ids.dictionary_encode().dictionary
    video = pc.index_in(found.ids, value_set=order.cast(pa.string())).to_numpy()
    return found.take(np.lexsort((found.start_s, found.classes, video)))


def video_curve(windows: ScoredWindows, config: IntervalConfig) -> NDArray[np.float32]:
    """Return (S, C) the curves of one video, probabilities; -inf at steps without a window.

    Step k covers [k * hop_s, (k + 1) * hop_s) seconds, the last one no more than the video has.

    Args:
        windows: of the video, in order of their starts; at least one.
        config: resolution and smoothing.

    Raises:
        DataError: the windows are of several videos, or as `IntervalFinder.add`.
    """
    windows.check(windows.logits.shape[1])
    videos, ids = windows.numbered(None)
    windows.check_order(videos, 0)
    if len(ids) != 1:
        raise DataError(f"a curve is of one video, got windows of {len(ids)}")
    start, end = (
        np.asarray(x, np.float64) / config.hop_s for x in (windows.start_s, windows.end_s)
    )
    steps = int(steps_between(start, end)[1].max())
    axis = StepAxis(np.zeros(1, np.int64), np.array([steps]))
    matrix = curve_matrix(axis, videos, start, end, _radius(config))
    curve: NDArray[np.float32] = matrix.astype(np.float32) @ sigmoid(windows.logits, np.float32)
    curve[np.diff(matrix.indptr) == 0] = -np.inf
    return curve


def intervals_of_curves(
    curves_CN: NDArray[np.floating],
    steps_V: NDArray[np.int64],
    ids: pa.Array,
    ends_s: NDArray[np.float64],
    config: IntervalConfig,
    high_logits: ArrayLike,
) -> Intervals:
    """Return the intervals of curves that are known, by video, class and time.

    They are those that `IntervalFinder` finds in the windows of the curves (`video_curve`).

    Args:
        curves_CN: (C, N) probabilities of V videos, one after the other; -inf = no window. After
            the steps of each video is one more, at -inf.
        steps_V: (V,) how many steps each video has, without that one.
        ids: (V,) strings.
        ends_s: (V,) how long each video is.
        config: length of a step and of the shortest interval, and the gap to merge over.
        high_logits: (C,) the threshold of each class; inf = no intervals of it.
    """
    high = np.asarray(high_logits, np.float64)
    gap = int(config.merge_gap_s / config.hop_s + SLACK)
    finder = RunFinder(_curve_values(config.low_logits(high)), _curve_values(high), gap)
    axis = StepAxis(np.zeros(len(steps_V), np.int64), np.asarray(steps_V, np.int64) + 1)
    runs = finder.add(curves_CN, axis.videos(), axis.steps(), (len(steps_V), 0))
    return intervals_of_runs(runs, ids, ends_s, config)


def _radius(config: IntervalConfig) -> int:
    """Return how many steps on both sides of one the curve is averaged over."""
    return int(config.smooth_s / config.hop_s / 2 - 0.5 + SLACK)


def _curve_values(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the probabilities of thresholds, lower by what a mean of equal values may lose."""
    probs = sigmoid(logits, np.float64) * (1 - ROUNDING)
    lowest = np.finfo(np.float32).tiny
    return np.where(logits == np.inf, np.inf, np.maximum(probs, lowest)).astype(np.float32)
