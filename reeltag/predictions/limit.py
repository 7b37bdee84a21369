"""At most k rows a class in a prediction file, chosen while the rows stream by."""

import numpy as np
from numpy.typing import NDArray

from reeltag.predictions.file import Rows
from reeltag.predictions.ranking import BestOfClass


class ClassLimit:
    """Keeps, of a stream of rows, those pairs of row and class that are among a class's k best.

    Twice through the stream: `admit` drops what cannot be among the best any more and returns
    what is to be stored; when all is seen, `keep` picks the best out of what was stored, in the
    same order. Segments without a class left are dropped; videos stay, perhaps empty.

    Args:
        num_classes: C.
        k: rows kept a class, >= 1.
    """

    def __init__(self, num_classes: int, k: int) -> None:
        self._best = BestOfClass(num_classes, k)
        self._stored = 0
        self._judged = 0

    @property
    def floors(self) -> NDArray[np.float32]:
        """(C,) scores below which `admit` drops a pair of any row."""
        return self._best.floors

    def admit(self, rows: Rows) -> Rows:
        """Return what must be stored of these rows."""
        positions = rows.row_of_pair() + self._stored
        rows = _drop(rows.where(self._best.may_enter(rows.classes, rows.scores, positions)))
        self.restore(rows)
        return rows

    def restore(self, rows: Rows) -> None:
        """Take note of rows that were admitted, and stored, by an earlier process."""
        self._best.add(rows.classes, rows.scores, rows.row_of_pair() + self._stored)
        self._stored += len(rows)

    def keep(self, rows: Rows) -> Rows:
        """Return what is among the best of these rows, which are the stored ones in order."""
        self._best.select()
        positions = rows.row_of_pair() + self._judged
        self._judged += len(rows)
        return _drop(rows.where(self._best.may_enter(rows.classes, rows.scores, positions)))


def _drop(rows: Rows) -> Rows:
    return rows if rows.starts is None else rows.without_empty()
