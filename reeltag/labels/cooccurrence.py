"""Which classes appear together, counted over videos.

Shape letters: N videos, C classes, P pairs of classes that appear together.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltag.core.sparse import SparseRows

ENTRIES = 2**20  # labels at a time: 8 MiB each of the few arrays that hold them
CELLS = 2**25  # of a table of all pairs, 128 MiB: up to 5792 classes


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """How many videos have a class, and how many have two of them; only pairs that occur are kept.

    Attributes:
        videos: (C,) int64, N_i: videos with class i.
        first: (P,) int32, class i of a pair, ascending; each pair is kept in both orders.
        second: (P,) int32, class j != i, ascending for each i.
        together: (P,) int64, M_ij: videos with both.
    """

    videos: NDArray[np.int64]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    together: NDArray[np.int64]

    def conditional(self) -> NDArray[np.float64]:
        """Return (P,) P(j | i) = M_ij / N_i in (0, 1]."""
        probs: NDArray[np.float64] = self.together / self.videos[self.first]
        return probs

    def dense(self) -> NDArray[np.int32]:
        """Return (C, C) M_ij, with N_i on the diagonal."""
        counts = np.diag(self.videos.astype(np.int32))
        counts[self.first, self.second] = self.together
        return counts


def count_cooccurrence(labels: SparseRows, num_classes: int) -> Cooccurrence:
    """Return which classes appear together in how many videos.

    Source: Autohome 2019, sec. 3.3 eq. 4. Time: what sorting the lists takes, where they are
    not ascending, and adding 1 for each pair. Further memory: C^2 int32 up to `CELLS` of
    them, else the pairs that occur. A class that is listed twice for a video counts once.

    Args:
        labels: the classes of N videos, each in [0, C).
        num_classes: C.
    """
    videos = np.zeros(num_classes, np.int64)
    table = _Dense(num_classes) if num_classes**2 <= CELLS else _Sparse(num_classes)
    for size, held in _ascending_lists(labels, num_classes):
        videos += np.bincount(held, minlength=num_classes)
        for keys in _pairs(size, held, num_classes):
            table.add(keys)
    keys, together = table.both_orders()
    first, second = np.divmod(keys, num_classes)
    return Cooccurrence(videos, first.astype(np.int32), second.astype(np.int32), together)


def _ascending_lists(
    labels: SparseRows, num_classes: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield, some videos at a time, how many classes each has and which: ascending, each once."""
    indptr, start = labels.indptr, 0
    while start < len(labels):
        stop = int(np.searchsorted(indptr, indptr[start] + ENTRIES, side="right")) - 1
        stop = min(max(stop, start + 1), len(labels))
        size = np.diff(indptr[start : stop + 1])
        held = labels.classes[indptr[start] : indptr[stop]].astype(np.int64)
        entries = np.repeat(np.arange(len(size)) * num_classes, size) + held
        if (entries[1:] <= entries[:-1]).any():
            entries.sort()
            video, held = np.divmod(entries[_changes(entries)], num_classes)
            size = np.bincount(video, minlength=len(size))
        yield size, held
        start = stop


def _pairs(
    size: NDArray[np.int64], held: NDArray[np.int64], num_classes: int
) -> Iterator[NDArray[np.int64]]:
    """Yield i * C + j of every two classes i < j of a video: neighbours, then next but one, ..."""
    left = np.repeat(np.cumsum(size), size) - np.arange(len(held))  # of its video, from here on
    entry = np.flatnonzero(left > 1)
    step = 1
    while len(entry):
        yield held[entry] * num_classes + held[entry + step]
        step += 1
        entry = entry[left[entry] > step]


class _Dense:
    """Counts in a table of all pairs i < j."""

    def __init__(self, num_classes: int) -> None:
        self._counts_CC = np.zeros((num_classes, num_classes), np.int32)

    def add(self, keys: NDArray[np.int64]) -> None:
        """Count some pairs."""
        np.add.at(self._counts_CC.reshape(-1), keys, np.int32(1))

    def both_orders(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pairs that occur, also j * C + i, ascending, and their counts."""
        self._counts_CC += self._counts_CC.T
        flat = self._counts_CC.reshape(-1)
        keys = np.flatnonzero(flat)
        return keys, flat[keys].astype(np.int64)


class _Sparse:
    """Counts of the pairs i < j that occur, for class lists whose table would be too large."""

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes
        self._keys = self._counts = np.empty(0, np.int64)
        self._new: list[NDArray[np.int64]] = []
        self._num_new = 0

    def add(self, keys: NDArray[np.int64]) -> None:
        """Count some pairs."""
        self._new.append(keys)
        self._num_new += len(keys)
        if self._num_new > max(ENTRIES, len(self._keys)):
            self._merge()

    def both_orders(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pairs that occur, also j * C + i, ascending, and their counts."""
        self._merge()
        first, second = np.divmod(self._keys, self._num_classes)
        keys = np.concatenate([self._keys, second * self._num_classes + first])
        order = np.argsort(keys, kind="stable")
        return keys[order], np.tile(self._counts, 2)[order]

    def _merge(self) -> None:
        new = np.sort(np.concatenate([np.empty(0, np.int64), *self._new]))
        begins = _changes(new)
        keys = np.append(self._keys, new[begins])
        counts = np.append(self._counts, np.diff(begins, append=len(new)))
        order = np.argsort(keys, kind="stable")  # merges the two ascending runs
        keys = keys[order]
        begins = _changes(keys)
        self._keys = keys[begins]
        self._counts = np.add.reduceat(counts[order], begins) if len(keys) else counts
        self._new, self._num_new = [], 0


def _changes(ascending: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places where another value begins, the first among them."""
    return np.flatnonzero(np.diff(ascending, prepend=-1))
