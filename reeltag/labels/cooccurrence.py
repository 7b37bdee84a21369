"""Which classes appear together, counted over videos.

Shape letters: N videos, C classes, P pairs of classes that appear together.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAIRS = 2**22  # pairs at a time: 32 MiB each of the few arrays that hold them


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """How many videos have a class, and how many have two of them; only pairs that occur are kept.

    Attributes:
        videos: (C,) int64, N_i: videos with class i.
        first: (P,) int32, class i of a pair, ascending; each pair stands here in both orders.
        second: (P,) int32, class j != i, ascending for each i.
        together: (P,) int64, M_ij: videos with both.
    """

    videos: NDArray[np.int64]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    together: NDArray[np.int64]

    def conditional(self) -> NDArray[np.float64]:
        """Return (P,) P(j | i) = M_ij / N_i in (0, 1]: how often j is there where i is."""
        share: NDArray[np.float64] = self.together / self.videos[self.first]
        return share

    def dense(self) -> NDArray[np.int32]:
        """Return (C, C) M_ij, with N_i on the diagonal."""
        counts = np.diag(self.videos.astype(np.int32))
        counts[self.first, self.second] = self.together
        return counts


def count_cooccurrence(
    bounds: NDArray[np.int64], classes: NDArray[np.integer], num_classes: int
) -> Cooccurrence:
    """Return which classes appear together in how many videos.

    Source: papers/autohome2019 sec. 3.3 eq. 4. Memory: C, and the pairs that occur; a class that
    is listed twice for a video counts once.

    Args:
        bounds: (N + 1,) video n has the entries bounds[n] to bounds[n + 1] of `classes`.
        classes: of all videos in a row, each in [0, C).
        num_classes: C.
    """
    keys, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    for found in _pairs(bounds, classes.astype(np.int64), num_classes):
        keys, counts = _added(keys, counts, *np.unique(found, return_counts=True))
    first, second = np.divmod(keys, num_classes)
    same = first == second
    videos = np.zeros(num_classes, np.int64)
    videos[first[same]] = counts[same]
    other = ~same
    return Cooccurrence(
        videos,
        first[other].astype(np.int32),
        second[other].astype(np.int32),
        counts[other],
    )


def _pairs(
    bounds: NDArray[np.int64], classes: NDArray[np.int64], num_classes: int
) -> Iterator[NDArray[np.int64]]:
    """Yield i * C + j of every two entries of a video, both orders and i = j, some at a time."""
    video = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    entries = np.unique(video * num_classes + classes[bounds[0] : bounds[-1]])
    video, classes = np.divmod(entries, num_classes)
    size = np.bincount(video, minlength=len(bounds) - 1)  # entries of each video
    begin = np.cumsum(size) - size
    done = np.append(0, np.cumsum(size[video]))  # pairs before each entry
    start = 0
    while start < len(entries):
        stop = max(start + 1, int(np.searchsorted(done, done[start] + PAIRS, side="right")) - 1)
        part = slice(start, stop)
        repeats = size[video[part]]
        partner = np.arange(done[stop] - done[start]) - np.repeat(done[part] - done[start], repeats)
        partner += np.repeat(begin[video[part]], repeats)
        yield np.repeat(classes[part], repeats) * num_classes + classes[partner]
        start = stop


def _added(
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
    more_keys: NDArray[np.int64],
    more_counts: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the keys of both, ascending, and for each the sum of its counts."""
    merged, place = np.unique(np.concatenate([keys, more_keys]), return_inverse=True)
    total = np.zeros(len(merged), np.int64)
    np.add.at(total, place, np.concatenate([counts, more_counts]))
    return merged, total
