"""Folds of the training videos, each with the same share of every class.

A teacher that is trained on all folds but one knows nothing of that one's labels, wrong ones
included; what it says of it are out-of-fold soft labels (Samsung: papers/samsung2018-slides).

Shape letters: V records, G videos (records with the same id are one), E labels, C classes, K folds.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.seeding import derive_seed


@dataclass(frozen=True, kw_only=True)
class FoldConfig:
    """Folds of the training split, and which of them is left out."""

    count: int = 0
    """Folds that the training videos are divided into, with equal shares of every class; 0 = none.
    Validation stays as the splits say."""
    hold_out: int = 0
    """The fold, 0 to count - 1, that is not trained on: what `reeltag predict --split train` with
    the same options predicts."""
    by: Literal["labels", "ratings"] = "labels"
    """What is shared equally: the videos of each label; or, of the videos with rated segments and
    of no others, those with a positive of each class and those with a negative."""
    seed: int = 0
    """Of the division, not of the training: the same for all predictions that are joined."""

    def __post_init__(self) -> None:
        """Refuse what is out of range with ConfigError."""
        if self.count != 0 and not 2 <= self.count <= 1000:
            raise ConfigError(f"fold.count must be 0 or in [2, 1000], got {self.count}")
        if not 0 <= self.hold_out < max(self.count, 1):
            raise ConfigError(
                f"fold.hold_out must be in [0, fold.count = {self.count}), got {self.hold_out}"
            )


def stratified_folds(
    keys: NDArray[np.uint64],
    bounds: NDArray[np.int64],
    classes: NDArray[np.integer],
    num_classes: int,
    count: int,
    seed: int,
) -> NDArray[np.int16]:
    """Return (V,) the fold of each record, 0 to K - 1; records with the same key share one.

    Iterative stratification: the class with the fewest videos left is dealt out first, each video
    to the fold that lacks most of that class, among equals to the one that lacks most videos, then
    by chance. Videos of a class are all alike to the rule, so a class is dealt out at once.
    Source: Sechidis, Tsoumakas, Vlahavas, ECML PKDD 2011, "On the stratification of multi-label
    data", algorithm 1. The order of the records does not matter. Cost: a sort of E labels, and
    C + K numbers a class; memory some 60 bytes a label.

    Args:
        keys: (V,) random numbers of the ids.
        bounds: (V + 1,) record v has the labels bounds[v] to bounds[v + 1].
        classes: (E,) of all records in a row.
        num_classes: C.
        count: K >= 2.
        seed: of what chance decides.
    """
    unique, group = np.unique(keys, return_inverse=True)
    pairs = group[np.repeat(np.arange(len(keys)), np.diff(bounds))] * num_classes
    pairs += classes
    pairs.sort()  # by video, and within it by class
    new = np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]
    owner, held = np.divmod(pairs[new], num_classes)
    dealt = _Dealing(len(unique), owner, held.astype(np.int32), num_classes, count, seed)
    return dealt.run()[group]


class _Dealing:
    """G videos being dealt out to K folds.

    Args:
        num_videos: G.
        owner: (E,) the video of each label, ascending.
        classes: (E,) the labels.
        num_classes: C.
        count: K.
        seed: of what chance decides.
    """

    def __init__(
        self,
        num_videos: int,
        owner: NDArray[np.int64],
        classes: NDArray[np.int32],
        num_classes: int,
        count: int,
        seed: int,
    ) -> None:
        self._classes, self._count = classes, count
        self._bounds = np.searchsorted(owner, np.arange(num_videos + 1))
        self._fold = np.full(num_videos, -1, np.int16)
        self._left = np.bincount(classes, minlength=num_classes)
        self._by_class = owner[np.argsort(classes, kind="stable")].astype(np.int32)
        self._ends = np.cumsum(self._left)
        self._lacking = np.repeat(self._left[:, None] / count, count, axis=1)  # (C, K)
        self._room = np.full(count, num_videos / count)  # (K,) videos
        self._random = np.random.default_rng(derive_seed(seed, "folds"))

    def run(self) -> NDArray[np.int16]:
        """Return (G,) the fold of each video."""
        never = np.iinfo(self._left.dtype).max
        while self._left.any():
            rarest = int(np.where(self._left > 0, self._left, never).argmin())
            begin = 0 if rarest == 0 else self._ends[rarest - 1]
            videos = self._by_class[begin : self._ends[rarest]]
            self._deal(videos[self._fold[videos] < 0], self._lacking[rarest])
        self._deal(np.flatnonzero(self._fold < 0), self._room)  # those without a label
        return self._fold

    def _deal(self, videos: NDArray[np.integer], lacking: NDArray[np.float64]) -> None:
        """Deal out some videos by what each fold lacks (K,)."""
        dealt = _dealt(lacking, self._room, len(videos), self._random)
        fold = self._random.permutation(np.repeat(np.arange(self._count), dealt))
        self._fold[videos] = fold
        begin = self._bounds[videos]
        size = self._bounds[videos + 1] - begin
        before = np.cumsum(size) - size
        held = self._classes[np.arange(size.sum()) + np.repeat(begin - before, size)]
        cell = held.astype(np.int64) * self._count + np.repeat(fold, size)
        np.subtract.at(self._lacking.reshape(-1), cell, 1.0)
        np.subtract.at(self._left, held, 1)
        self._room -= dealt


def _dealt(
    lacking: NDArray[np.float64],
    room: NDArray[np.float64],
    num_videos: int,
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """Return (K,) how many videos each fold gets, one by one to the fold that lacks most.

    All folds sink to the same level but for what is not whole: so much is dealt at once, and the
    fewer than K videos that are left one by one.
    """
    falling = np.sort(lacking)[::-1]
    levels = (np.cumsum(falling) - num_videos) / np.arange(1, len(falling) + 1)
    level = levels.max()  # of those over which the folds above it would give `num_videos`
    rounding = 1e-6  # of the level; too few dealt at once are made up for below
    dealt: NDArray[np.int64] = np.floor(np.maximum(lacking - level - rounding, 0)).astype(np.int64)
    chance = random.permutation(len(lacking))
    for _ in range(num_videos - int(dealt.sum())):
        dealt[np.lexsort((chance, room - dealt, lacking - dealt))[-1]] += 1
    return dealt
