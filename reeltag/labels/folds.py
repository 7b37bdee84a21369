"""Folds of the training videos, each with the same fraction of every class.

A teacher that is trained on all folds but one has not seen that one's labels, wrong ones included;
its predictions there are out-of-fold soft labels (Samsung 2018).

Shape letters: V records, G videos (records with the same id are one), E labels, C classes, K folds.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from reeltag.core.bounds import CheckedFields, Rule
from reeltag.core.errors import ConfigError
from reeltag.core.seeding import derive_seed
from reeltag.core.sparse import SparseRows, distinct, from_cells

NumFolds = Annotated[int, Ge(2), Le(1000)]
_COUNT = Rule(lambda count: count == 0 or 2 <= count <= 1000, "0, or an integer in [2, 1000]")


@dataclass(frozen=True, kw_only=True)
class FoldConfig(CheckedFields):
    """Folds of the training split, and which of them is left out."""

    prefix: ClassVar[str] = "fold"

    count: Annotated[int, _COUNT] = 0
    """Folds that the training videos are divided into, with as much of every class in each; 0 =
    none. The validation split is not divided."""
    hold_out: int = 0
    """The fold, 0 to count - 1, that is not trained on: `reeltag predict --split train` with the
    same options predicts it."""
    by: Literal["labels", "ratings"] = "labels"
    """What is divided equally: the videos of each label; or, of the videos with rated segments and
    of no others, those with a positive of each class and those with a negative."""
    seed: int = 0
    """Random seed of the division, not of the training: the same for all predictions that are
    joined."""

    def check(self) -> None:
        """Raise ConfigError where there is no such fold."""
        if not 0 <= self.hold_out < max(self.count, 1):
            raise ConfigError(
                f"fold.hold_out must be in [0, fold.count = {self.count}), got {self.hold_out}"
            )


def stratified_folds(
    keys: NDArray[np.uint64],
    labels: SparseRows,
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
        labels: the classes of the V records.
        num_classes: C.
        count: K >= 2.
        seed: random seed.
    """
    unique, group = np.unique(keys, return_inverse=True)
    cells = distinct(group[labels.row_of_entry()] * num_classes + labels.classes)
    videos = SparseRows(*from_cells(cells, len(unique), num_classes))
    return _Dealing(videos, num_classes, count, seed).run()[group]


class _Dealing:
    """G videos being dealt out to K folds.

    Args:
        videos: the labels of the G videos, each once.
        num_classes: C.
        count: K.
        seed: random seed.
    """

    def __init__(self, videos: SparseRows, num_classes: int, count: int, seed: int) -> None:
        self._videos, self._count = videos, count
        self._fold = np.full(len(videos), -1, np.int16)
        self._left = np.bincount(videos.classes, minlength=num_classes)
        order = np.argsort(videos.classes, kind="stable")
        self._by_class = videos.row_of_entry()[order].astype(np.int32)
        self._ends = np.cumsum(self._left)
        self._lacking = np.repeat(self._left[:, None] / count, count, axis=1)  # (C, K)
        self._room = np.full(count, len(videos) / count)  # (K,) videos
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
        """Deal out some videos by how much each fold lacks (K,)."""
        dealt = _dealt(lacking, self._room, len(videos), self._random)
        fold = self._random.permutation(np.repeat(np.arange(self._count), dealt))
        self._fold[videos] = fold
        place, entries = self._videos.entries_of(videos)
        held = self._videos.classes[entries]
        cell = held.astype(np.int64) * self._count + fold[place]
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

    All folds sink to the same level, rounded down: so many videos are dealt at once, and the fewer
    than K that are left one by one.
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
