"""Near copies: re-encoded, resized or shortened versions of one video, which share a split.

Each frame of features has a perceptual hash of its picture (`media.hashes`). Two videos are near
copies where the same pictures are in both in the same order, over most of the shorter one. Pictures
that do not change in time say nothing: clips of one fixed camera are no copies of each other.
Sounds are not compared, nor pictures that were mirrored or turned.
"""

from array import array
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.library.database.library import Library
from reeltag.library.database.tables import VideoRow
from reeltag.library.media.hashes import NO_HASH, Hashes, load_hashes

_NEAR = 10  # bits of 64 that may differ in one picture
_LEAST_FRAMES = 3  # that must be the same
_COVERAGE = 0.3  # of the shorter video; of unlike ones it was .11 at most
_DISTINCT = 2.0  # so much more alike must two videos be in their order than out of it
_ANCHORS = 48  # frames of a video that are looked up
_BANDS = 4  # of 16 bits: pictures that share one are compared
_CROWD = 1000  # videos with the same band: more say nothing
_LOOKED_AT = 20  # likely videos, at most
_COMPARED = 3000  # frames of a video, at most


def same_pictures(a: Hashes, b: Hashes) -> float:
    """Return how much of the shorter of two videos is in the other, in its order, in [0, 1].

    Args:
        a: hashes of the frames of one, at any rate.
        b: hashes of the other, at the same rate.
    """
    a, b = (of[:_COMPARED] for of in sorted((a, b), key=len))
    valid_a, valid_b = a != NO_HASH, b != NO_HASH
    known = int(valid_a.sum())
    if known < _LEAST_FRAMES or not valid_b.any():
        return 0.0
    near = _signs(a) @ _signs(b).T >= 64 - 2 * _NEAR
    rows, columns = np.nonzero(near & valid_a[:, None] & valid_b[None])
    if not len(rows):
        return 0.0
    offsets = columns - rows + len(a)
    counts = np.bincount(offsets, minlength=len(a) + len(b) + 1)
    place = int(np.argmax(counts[:-1] + counts[1:]))  # rounding moves some frames by one
    matched = len(np.unique(rows[(offsets == place) | (offsets == place + 1)]))
    by_chance = 2 * len(rows) / int(valid_b.sum())
    if matched < _LEAST_FRAMES or matched < _DISTINCT * by_chance:
        return 0.0
    return matched / known


def _signs(hashes: Hashes) -> NDArray[np.float32]:
    """Return the 64 bits of each hash as 1 and -1; a product counts those that agree."""
    bits = np.unpackbits(hashes[:, None].view(np.uint8), axis=1)
    return 2 * bits.astype(np.float32) - 1


class NearCopies:
    """Videos by their pictures, to be asked for near copies of another one."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._hashes: list[Hashes] = []
        self._buckets: dict[tuple[int, int], array[int]] = defaultdict(lambda: array("I"))

    def add(self, name: str, hashes: Hashes) -> None:
        """Remember a video."""
        number = len(self._names)
        self._names.append(name)
        self._hashes.append(hashes)
        known = hashes[hashes != NO_HASH]
        for anchor in np.unique(known[:: -(-len(known) // _ANCHORS) or 1]).tolist():
            for bucket in _bands(anchor):
                if len(self._buckets[bucket]) < _CROWD:
                    self._buckets[bucket].append(number)

    def find(self, hashes: Hashes) -> str | None:
        """Return the video that has most of the pictures of another one; None = no near copy."""
        votes: dict[int, int] = defaultdict(int)
        for value in np.unique(hashes[hashes != NO_HASH]).tolist():
            for number in {of for bucket in _bands(value) for of in self._buckets.get(bucket, ())}:
                votes[number] += 1
        likely = sorted(votes, key=lambda number: (-votes[number], self._names[number]))[
            :_LOOKED_AT
        ]
        found = [(same_pictures(hashes, self._hashes[of]), self._names[of]) for of in likely]
        best = max(found, default=(0.0, ""), key=lambda of: (of[0], of[1]))
        return best[1] if best[0] >= _COVERAGE else None


def _bands(value: int) -> list[tuple[int, int]]:
    return [(band, value >> (16 * band) & 0xFFFF) for band in range(_BANDS)]


class NearCopyGroups:
    """Groups of near copies in a library: that of the first one, else a video's own content.

    Args:
        library: of the videos.
        previews: folder that the hashes are in.
    """

    def __init__(self, library: Library, previews: Path) -> None:
        self._previews, self._copies = previews, NearCopies()
        self._groups = dict[str, str]()
        for content, name, group in library.values("content", "id", "group"):
            if group:
                self._add(content, name, group)

    def __call__(self, row: VideoRow) -> str:
        """Return the group of a video that has none yet, and remember it."""
        hashes = load_hashes(self._previews, row.id)
        copy = self._copies.find(hashes)
        group = row.content if copy is None else self._groups[copy]
        self._add(row.content, row.id, group, hashes)
        return group

    def _add(self, content: str, name: str, group: str, hashes: Hashes | None = None) -> None:
        self._groups[content] = group
        self._copies.add(content, load_hashes(self._previews, name) if hashes is None else hashes)
