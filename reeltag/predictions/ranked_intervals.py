"""Intervals ranked by how far they stand out of what is around them; no threshold is needed.

    curve of a class --> all intervals of some lengths --> contrast --> the best, without overlap

The contrast of an interval is the mean of the curve within it less the mean over its two flanks,
each half as long as the interval (at least one step), as far as they are in the video: an interval
that is too long loses within, one that is too short loses to its flanks. From the highest contrast
down, an interval is kept unless its temporal IoU with one that was kept before is above `MAX_IOU`.

Source of the contrast: Shou et al. 2018, "AutoLoc: Weakly-supervised Temporal Action Localization
in Untrimmed Videos", sec. 3.3, where it is a loss and flanks are a quarter of the length.

Letters in shapes: S steps, C classes, P candidates, M intervals.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.probability import prob_logits
from reeltag.predictions.interval_rows import Intervals, ScoredWindows
from reeltag.predictions.intervals import IntervalConfig, video_curve

MAX_IOU = 0.4  # of two intervals of a class that are kept
MIN_CONTRAST = 0.01  # of an interval that is kept
MOST = 50  # intervals of a class in a video
_GROWTH = 1.25  # of a length to the one before it, about


def rank_intervals(windows: ScoredWindows, config: IntervalConfig) -> Intervals:
    """Return the intervals of one video that stand out, by class, best first.

    Their `scores` are logits of the contrast, so that `peak_prob` is the contrast, in (0, 1];
    `mean_prob` is the mean probability within, and `peak_s` where it is highest.
    Memory: the curves of the video, and the candidates of a class.

    Args:
        windows: of the video, in order of their starts; at least one.
        config: resolution, smoothing and the shortest interval.

    Raises:
        DataError: as `video_curve`.
    """
    curve_SC = np.maximum(video_curve(windows, config), 0).astype(np.float64)  # -inf: no window
    end_s = float(windows.end_s.max())
    first, last = _candidates(len(curve_SC), config)
    parts = []
    for c in range(curve_SC.shape[1]):
        curve = curve_SC[:, c]
        contrast = contrasts(curve, first, last)
        kept = _without_overlap(first, last, contrast)
        parts.append(
            Intervals(
                ids=pa.array([windows.ids[0].as_py()] * len(kept), pa.string()),
                classes=np.full(len(kept), c, np.int32),
                start_s=(first[kept] * config.hop_s).astype(np.float64),
                end_s=np.minimum(last[kept] * config.hop_s, end_s),
                peak_s=_peaks(curve, first[kept], last[kept], config.hop_s, end_s),
                scores=prob_logits(contrast[kept]),
                mean_prob=_means(curve, first[kept], last[kept]),
            )
        )
    return Intervals.concatenate(parts)


def lengths_up_to(most: int, least: int = 1) -> NDArray[np.int64]:
    """Return lengths in steps, each about a quarter more than the one before it.

    >>> lengths_up_to(20).tolist()
    [1, 2, 3, 4, 5, 7, 9, 12, 15, 19]
    >>> lengths_up_to(4, least=3).tolist()
    [3, 4]
    """
    lengths = list[int]()
    length = 1
    while length <= most:
        lengths.append(length)
        length = max(length + 1, int(np.ceil(length * _GROWTH)))
    return np.array([each for each in lengths if each >= least], np.int64)


def contrasts(
    curve_S: NDArray[np.floating], first_P: NDArray[np.int64], last_P: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (P,) the mean of a curve within [first, last) less the mean over the flanks.

    What is outside of the video is in no flank; an interval without any loses nothing.

    Args:
        curve_S: values >= 0.
        first_P: first step of each interval.
        last_P: one past the last step.

    >>> contrasts(np.array([0.0, 0.2, 0.8, 0.8, 0.4]), np.array([2]), np.array([4])).tolist()
    [0.5]
    """
    sums = np.append(0.0, np.cumsum(curve_S, dtype=np.float64))
    length = last_P - first_P
    flank = np.maximum(1, length // 2)
    before, after = np.maximum(first_P - flank, 0), np.minimum(last_P + flank, len(curve_S))
    around = (sums[first_P] - sums[before]) + (sums[after] - sums[last_P])
    steps = (first_P - before) + (after - last_P)
    within = (sums[last_P] - sums[first_P]) / length
    contrast: NDArray[np.float64] = within - around / np.maximum(steps, 1)
    return contrast


def _candidates(
    num_steps: int, config: IntervalConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first step and one past the last of all intervals that are tried, (P,) each."""
    least = max(1, int(np.ceil(config.min_length_s / config.hop_s - 1e-6)))
    lengths = lengths_up_to(num_steps, min(least, num_steps))
    lengths = lengths if len(lengths) else np.array([num_steps])
    firsts = [np.arange(num_steps - length + 1) for length in lengths.tolist()]
    first = np.concatenate(firsts)
    return first, first + np.repeat(lengths, [len(each) for each in firsts])


def _without_overlap(
    first: NDArray[np.int64], last: NDArray[np.int64], contrast: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return which candidates are kept, best first; the earlier and shorter of equals first."""
    left = np.flatnonzero(contrast >= MIN_CONTRAST)
    left = left[np.argsort(-contrast[left], kind="stable")]
    return np.fromiter(_chosen(first, last, left), np.int64)


def _chosen(
    first: NDArray[np.int64], last: NDArray[np.int64], left: NDArray[np.int64]
) -> Iterator[int]:
    for _ in range(MOST):
        if not len(left):
            return
        best, left = left[0], left[1:]
        yield int(best)
        shared = np.minimum(last[left], last[best]) - np.maximum(first[left], first[best])
        union = (last[left] - first[left]) + (last[best] - first[best]) - shared
        left = left[shared <= MAX_IOU * union]


def _peaks(
    curve: NDArray[np.float64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    hop_s: float,
    end_s: float,
) -> NDArray[np.float64]:
    """Return the middle, in seconds, of the highest step of each interval."""
    spans = zip(first.tolist(), last.tolist(), strict=True)
    steps = np.array([begin + int(curve[begin:end].argmax()) for begin, end in spans], np.int64)
    middle: NDArray[np.float64] = (steps * hop_s + np.minimum((steps + 1) * hop_s, end_s)) / 2
    return middle


def _means(
    curve: NDArray[np.float64], first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.float64]:
    sums = np.append(0.0, np.cumsum(curve))
    mean: NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)
    return mean
