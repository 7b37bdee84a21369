"""At most k rows per class in a prediction file, chosen while the rows stream by."""

import numpy as np
from numpy.typing import NDArray

from reeltag.predictions.rows import PredictionRows
from reeltag.predictions.top_k import BestOfClass


class ClassLimit:
    """Keeps the k best entries of each class of a stream of rows.

    Two passes: `admit` drops the entries that k better ones are known for already and returns the
    others, to be stored; at the end, `keep` selects the best of the stored rows, in the same order.
    Segments without a class left are dropped; videos stay, perhaps empty.

    Args:
        num_classes: C.
        k: entries kept per class, >= 1.
    """

    def __init__(self, num_classes: int, k: int) -> None:
        self._best = BestOfClass(num_classes, k)
        self._stored = 0
        self._selected = 0

    @property
    def floors(self) -> NDArray[np.float32]:
        """(C,) scores below which `admit` drops an entry of any row."""
        return self._best.floors

    def admit(self, rows: PredictionRows) -> PredictionRows:
        """Return the part of these rows that must be stored."""
        positions = rows.row_of_entry() + self._stored
        rows = _drop(rows.keep(self._best.may_enter(rows.classes, rows.scores, positions)))
        self.restore(rows)
        return rows

    def restore(self, rows: PredictionRows) -> None:
        """Count rows that an earlier process admitted and stored."""
        self._best.add(rows.classes, rows.scores, rows.row_of_entry() + self._stored)
        self._stored += len(rows)

    def keep(self, rows: PredictionRows) -> PredictionRows:
        """Return the best entries of these rows, which are the stored ones in order."""
        self._best.select()
        positions = rows.row_of_entry() + self._selected
        self._selected += len(rows)
        return _drop(rows.keep(self._best.may_enter(rows.classes, rows.scores, positions)))


def _drop(rows: PredictionRows) -> PredictionRows:
    return rows if rows.kind == "videos" else rows.without_empty()
