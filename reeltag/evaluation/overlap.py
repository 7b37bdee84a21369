"""Scores of rated windows that were not predicted as such: the mean of those that overlap them.

    predicted   [0, 5) .2   [5, 10) .8            a rating of [3, 9) overlaps them by 2 and 4 s:
    rated             [3 ....... 9)               (2 * .2 + 4 * .8) / 6 = .6

Letters in shapes: N rows, U rated windows without a row of their own, Q ratings of them.
"""

import numpy as np
from numpy.typing import NDArray

from reeltag.core.probability import sigmoid
from reeltag.core.sparse import find
from reeltag.evaluation.truth import RatedSegments
from reeltag.predictions.rows import PredictionRows

Numbers = NDArray[np.int64]
_CERTAIN = 1e-7  # the nearest that a mean probability comes to 0 or 1, so that its logit is finite


class OverlapMeans:
    """Means of probabilities over the predicted windows that overlap rated ones, by seconds.

    A class that a row does not list counts as probability 0.

    Args:
        windows: U rated windows that no row predicts, by video.
        num_classes: C.
    """

    def __init__(self, windows: RatedSegments, num_classes: int) -> None:
        self._windows, self._num_classes = windows, num_classes
        self._seconds = np.zeros(len(windows))
        self._total = np.zeros(len(windows.classes))

    def add(self, rows: PredictionRows, videos: Numbers) -> None:
        """Look at further rows of segments, whose videos (N,) are given; -1 is unknown."""
        windows = self._windows
        first, last = (np.searchsorted(windows.videos, videos, side) for side in ("left", "right"))
        count = np.where(videos < 0, 0, last - first)
        row = np.repeat(np.arange(len(rows)), count)
        window = np.arange(len(row)) - np.repeat(np.cumsum(count) - count - first, count)
        begin = np.maximum(rows.starts[row], windows.starts[window])
        overlap = np.minimum(rows.ends[row], windows.ends[window]) - begin
        row, window, overlap = (of[overlap > 0] for of in (row, window, overlap))
        np.add.at(self._seconds, window, overlap)
        pair, rating = windows.entries_of(window)
        cells = rows.cells(self._num_classes)
        order = np.argsort(cells)
        wanted = row[pair] * self._num_classes + windows.classes[rating]
        found = find(cells[order], wanted)
        listed = found >= 0
        probs = sigmoid(rows.scores[order[found[listed]]]).astype(np.float64)
        np.add.at(self._total, rating[listed], overlap[pair[listed]] * probs)

    def scores(self) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Return (Q,) which ratings are overlapped by a row, and (Q,) the logits of their means."""
        seconds = self._seconds[self._windows.row_of_entry()]
        probs = np.clip(self._total / np.maximum(seconds, 1e-9), _CERTAIN, 1 - _CERTAIN)
        return seconds > 0, np.log(probs / (1 - probs)).astype(np.float32)
