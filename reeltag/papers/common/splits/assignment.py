"""Which videos train and which are evaluated: what all ways to divide a data set share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows
from reeltag.data.records.problems import Problem
from reeltag.data.selection import column_of, lists_of
from reeltag.data.splits import PUBLISHED_SPLITS, Split, Splits
from reeltag.labels.folds import FoldConfig

_PATTERNS = ("{0}*", "{0}/*", "*/{0}/*")  # of the published layouts


@dataclass(frozen=True, kw_only=True)
class EvalSplit:
    """The videos that predictions are evaluated on, and the classes that count.

    Attributes:
        split: that holds them.
        splits: the rule that gives a shard its split.
        fold: the held-out fold of `train` by that rule that they are; count 0 = the whole split.
        classes: indices of the evaluated classes, ascending; empty = all.
    """

    split: Split = "test"
    splits: Splits = PUBLISHED_SPLITS
    fold: FoldConfig = field(default_factory=FoldConfig)
    classes: tuple[int, ...] = ()

    @property
    def truth(self) -> Split | None:
        """The split whose videos all count; None where the predicted ones do (a fold)."""
        return None if self.fold.count else self.split

    @property
    def truth_splits(self) -> Splits:
        """The rule for `truth`."""
        return PUBLISHED_SPLITS if self.fold.count else self.splits

    def rows(self, data: Dataset) -> NDArray[np.bool_]:
        """Return (R,) which records are evaluated on segments: those with a rated one."""
        rated = num_rated(data) > 0
        if self.fold.count:
            rated &= held_out_rows(data.with_splits(self.splits), self.fold)
        return rated


@dataclass(frozen=True, kw_only=True)
class SplitAssignment:
    """Which part of a data set with rated segments trains, and which is evaluated.

    Attributes:
        videos: the rule whose `train` are the videos with video labels.
        rated: the rule whose `train` are the rated segments to train on.
        fold: the fold of these that is held out; count 0 = none.
        evaluation: what is evaluated.
        skip_head: unrated segments at the head of every video; none are drawn for soft labels.
        skip_tail: likewise at the tail.
        num_videos: usable videos of `videos`.
    """

    videos: Splits
    rated: Splits
    fold: FoldConfig
    evaluation: EvalSplit
    skip_head: int = 0
    skip_tail: int = 0
    num_videos: int


@dataclass(frozen=True, kw_only=True)
class VideoSplitAssignment:
    """Which whole videos train, are held out, and are evaluated.

    Attributes:
        splits: the rule whose `train` trains and, where it is counted, `validate` is held out.
        split: that is evaluated.
        counts: usable videos with labels of each split that is used.
        videos_per_label: training videos of a label, in the mean over those that occur; 0 = not
            needed.
    """

    splits: Splits
    split: Split
    counts: dict[Split, int]
    videos_per_label: float = 0.0

    @property
    def evaluation(self) -> EvalSplit:
        """What is evaluated."""
        return EvalSplit(split=self.split, splits=self.splits)


def num_rated(data: Dataset) -> NDArray[np.int64]:
    """Return (R,) how many ratings each record holds."""
    lengths = pc.fill_null(pc.list_value_length(data.table["segment_starts"]), 0)
    return np.asarray(lengths.to_numpy(), dtype=np.int64)


def rows_in(data: Dataset, shards: Iterable[int]) -> NDArray[np.bool_]:
    """Return (R,) which records of these shards are usable."""
    mine: NDArray[np.bool_] = np.isin(column_of(data.table, "shard"), [*shards])
    mine &= ~column_of(data.table, "skip")
    return mine


def shards_of(
    data: Dataset, split: Split, splits: Splits | None = None, *, needed: bool = False
) -> list[int]:
    """Return the numbers of a split's shards, ascending; [] where there are none.

    Args:
        data: the data set.
        split: of the rule.
        splits: the rule; None = the published names, nothing held out.
        needed: raise where there are none.

    Raises:
        ConfigError: one shard is in two splits, or none is there and some are needed.
    """
    try:
        return (splits or Splits(holdout=0.0)).shards(data.index, split)
    except ConfigError as error:
        if needed or "patterns of both" in str(error):
            raise
        return []


def pattern_of(data: Dataset, shards: Sequence[int], patterns: Sequence[str] = ()) -> str:
    """Return a pattern that names these shards and no others, one of `patterns` if it fits.

    Args:
        data: the data set.
        shards: numbers, ascending.
        patterns: tried first, one by one; without them those of the published `validate`.
    """
    for pattern in patterns or published_patterns("validate"):
        if shards_of(data, "train", Splits(train=pattern, holdout=0.0)) == list(shards):
            return pattern
    return ",".join(data.shards[shard] for shard in shards)


def published_patterns(split: Split) -> list[str]:
    """Return the patterns of a split in the published layouts."""
    return [pattern.format(split) for pattern in _PATTERNS]


def evaluated_classes(data: Dataset, rated: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the classes of segment_label_ids.csv; without it those that these rows rate."""
    listed = data.segment_classes()
    if listed is not None:
        return tuple(sorted(listed.listed))
    found = lists_of(data.table.filter(rated).combine_chunks(), "segment_labels")[1]
    return tuple(np.unique(found).tolist())


def check_segments(data: Dataset, shards: Sequence[int]) -> None:
    """Raise DataError where no record has segments, or some are of unknown classes.

    Args:
        data: the data set.
        shards: numbers of those whose classes are checked.
    """
    if data.kind == "video":
        raise DataError(
            "holds one vector per video, which has no segments; frame-level records are needed "
            "(features at 1 Hz)",
            where=data.root,
            hint="Take YouTube-8M's frame-level files, or `reeltag synth DATA` to try it.",
        )
    outside = pc.match_substring(data.table["problem"], Problem.LABEL_OUTSIDE.text)
    bad = pc.fill_null(outside, False).to_numpy() & np.isin(data.table["shard"], shards)
    if bad.any():
        names = data.table["id"].filter(bad)[:3].to_pylist()
        raise DataError(
            f"{bad.sum():,} records have labels or rated segments of classes outside the "
            f"vocabulary of {data.num_classes} classes: {', '.join(map(repr, names))}, ...",
            where=data.root,
            hint="Put the class list of these data next to them (vocabulary.csv); `reeltag info "
            "DATA` names the records.",
        )
