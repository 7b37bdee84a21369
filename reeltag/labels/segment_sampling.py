"""The random segments that soft labels are made for.

OPPO's selection (OPPO 2019, sec. 3.2; docs/reference/departures.md): n segments for each label of a
video, drawn without replacement and kept with the label they were drawn for; out of these m for
each class, so that rare and frequent classes count alike. Random numbers belong to the ids
(`random_keys`), so neither the order nor the other videos change the draw of a video.

Shape letters: V videos, E labels of all videos, S segments drawn, C classes.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltag.core.seeding import mixed
from reeltag.core.sparse import SparseRows

_AT_ONCE = 1 << 21  # random numbers: 16 MiB of keys, and as much for their order
_TURN = np.array([1 << 40])  # no segment has this number


@dataclass(frozen=True, eq=False)
class DrawnSegments:
    """S segments, by video and by number within it, ascending; each at most once.

    Attributes:
        video: (S,) int64.
        segment: (S,) int64, number among the video's segments that may be drawn, from 0 on.
        drawn_for: (S,) int32, the label of the video that each was drawn for.
    """

    video: NDArray[np.int64]
    segment: NDArray[np.int64]
    drawn_for: NDArray[np.int32]


def draw_segments(
    keys: NDArray[np.uint64],
    num_segments: NDArray[np.int64],
    labels: SparseRows,
    per_label: int,
) -> DrawnSegments:
    """Return min(n * j, segments) distinct segments of each video with j labels: n per label.

    Where a video has fewer than n * j segments, all are taken, and its labels get equally many,
    but for one.

    Args:
        keys: (V,) random numbers of the videos.
        num_segments: (V,) how many each has to draw from.
        labels: the classes of the V videos, each once per video.
        per_label: n >= 1.
    """
    parts = [(np.empty(0, np.int64),) * 3]
    widest = max(1, int(num_segments.max(initial=1)))
    step = max(1, _AT_ONCE // widest)
    num_labels = labels.counts()
    for first in range(0, len(keys), step):
        some = slice(first, first + step)
        count = np.minimum(per_label * num_labels[some], num_segments[some])
        row, rank, segment = _first_of_shuffled(keys[some], num_segments[some], count)
        turn = mixed(keys[some], _TURN) % np.maximum(num_labels[some], 1).astype(np.uint64)
        place = (rank + turn.astype(np.int64)[row]) % num_labels[some][row]
        drawn_for = labels.classes[labels.indptr[some][row] + place]
        parts.append((row + first, segment, drawn_for.astype(np.int64)))
    video, segment, drawn_for = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((segment, video))
    return DrawnSegments(video[order], segment[order], drawn_for[order].astype(np.int32))


def _first_of_shuffled(
    keys: NDArray[np.uint64], num_segments: NDArray[np.int64], count: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return video, place and segment of the first `count` of each video's shuffled segments."""
    number = np.arange(int(num_segments.max(initial=0)))
    random = mixed(keys[:, None], number) >> np.uint64(1)
    random[number >= num_segments[:, None]] = np.iinfo(np.uint64).max  # after all of the video
    shuffled = np.argsort(random, axis=1)[:, : int(count.max(initial=0))]
    row, rank = np.nonzero(np.arange(shuffled.shape[1]) < count[:, None])
    return row, rank, shuffled[row, rank]


def draw_equal(
    drawn_for: NDArray[np.int32],
    keys: NDArray[np.uint64],
    per_class: int,
    classes: Collection[int] = (),
) -> NDArray[np.bool_]:
    """Return (S,) which segments are drawn: min(m, pool) for each class.

    The pool of a class are the segments drawn for it, so that no segment is drawn twice.

    Args:
        drawn_for: (S,) class that each segment was drawn for; -1: for none, it is in no pool.
        keys: (S,) random numbers of the segments; the smallest of a pool are drawn.
        per_class: m >= 1.
        classes: those drawn for; empty = all.
    """
    allowed = np.isin(drawn_for, list(classes)) if classes else drawn_for >= 0
    pooled = np.flatnonzero(allowed)
    pooled = pooled[np.lexsort((keys[pooled], drawn_for[pooled]))]
    pool = drawn_for[pooled]
    rank = np.arange(len(pool)) - np.searchsorted(pool, pool)
    drawn = np.zeros(len(drawn_for), bool)
    drawn[pooled[rank < per_class]] = True
    return drawn
