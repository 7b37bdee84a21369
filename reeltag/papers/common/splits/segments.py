"""Which rated segments teach and which judge, told from what was rated.

In the challenge of 2019 all public ratings are of `validate`: they teach, and a fold of their
videos is kept back to judge. Where `test` is rated too (reels, mosaics, synthetic data), `test`
judges and all of `validate` teaches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.class_list import ClassList, find_segment_classes
from reeltag.data.dataset import dataset_of
from reeltag.data.folding import held_out_rows
from reeltag.data.index import Index
from reeltag.data.items import SEGMENT_SECONDS
from reeltag.data.selection import column_of, lists_of
from reeltag.data.splits import PUBLISHED_SPLITS, Split, Splits
from reeltag.labels.folds import FoldConfig

_PATTERNS = ("validate*", "validate/*", "*/validate/*")  # of the published layouts


@dataclass(frozen=True, kw_only=True)
class Judges:
    """The rated videos that judge, and the classes that count.

    Attributes:
        split: in which they are.
        splits: the rule that gives a shard its split.
        fold: the fold of the split `train` of that rule that they are; count 0 = all of the split.
        classes: that are judged, rising; empty = all.
    """

    split: Split = "test"
    splits: Splits = PUBLISHED_SPLITS
    fold: FoldConfig = field(default_factory=FoldConfig)
    classes: tuple[int, ...] = ()

    @property
    def truth(self) -> Split | None:
        """The split whose videos all count; None where those predicted do (a fold)."""
        return None if self.fold.count else self.split

    @property
    def truth_splits(self) -> Splits:
        """The rule for `truth`."""
        return PUBLISHED_SPLITS if self.fold.count else self.splits

    def rows(self, index: Index) -> NDArray[np.bool_]:
        """Return (R,) which rows of the index judge: those with a rated segment."""
        rated = num_rated(index) > 0
        if self.fold.count:
            rated &= held_out_rows(dataset_of(index).with_splits(self.splits), self.fold)
        return rated


@dataclass(frozen=True, kw_only=True)
class Roles:
    """What each part of a data set is for.

    Attributes:
        videos: the rule under which `train` are the videos with video labels.
        rated: the rule under which `train` are the rated segments that teach.
        fold: what is kept back of them; count 0 = nothing.
        judges: who judges.
        skip_head: segments at the head of a video that nobody rated; soft ones follow.
        skip_tail: likewise at the tail.
        num_videos: usable videos of `videos`.
    """

    videos: Splits
    rated: Splits
    fold: FoldConfig
    judges: Judges
    skip_head: int
    skip_tail: int
    num_videos: int


def roles(index: Index, *, folds: int = 5, draws: bool = True) -> Roles:
    """Return what each part of a data set is for, by the names of shards as published.

    Args:
        index: of the data.
        folds: where no test video is rated: parts of the rated videos, one of which judges.
        draws: whether segments are drawn from the training videos, which must then have some.

    Raises:
        DataError: something that is needed is not there; which command makes it is said.
    """
    holdings: tuple[Split, ...] = ("validate", "test")
    refuse_records(index, [i for of in holdings for i in shards_named(index, of, needed=False)])
    train, validate = (shards_named(index, split) for split in ("train", "validate"))
    rated, usable = num_rated(index), ~column_of(index.table, "skip")
    shard = column_of(index.table, "shard")
    taught = usable & np.isin(shard, validate) & (rated > 0)
    if not taught.any():
        raise _unrated(index, int((usable & np.isin(shard, validate)).sum()))
    teachers = Splits(train=pattern_of(index, validate), holdout=0.0)
    test = usable & np.isin(shard, shards_named(index, "test", needed=False)) & (rated > 0)
    fold = FoldConfig() if test.any() else FoldConfig(count=folds, by="ratings")
    head, tail = _skipped(index, taught)
    length = column_of(index.table, "frames") // SEGMENT_SECONDS
    learned = usable & np.isin(shard, train)
    if draws and not (length[learned] - head > tail).any():
        raise DataError(
            f"no training video is longer than {(head + tail) * SEGMENT_SECONDS} s, and nobody "
            "rated what lies nearer to the ends: there is no 5-second segment to draw",
            where=index.root,
            hint="Soft labels need training videos as long as the rated ones, of 5 s at least; "
            "`reeltag info DATA` tells how long they are.",
        )
    judges = Judges(
        split="train" if fold.count else "test",
        splits=teachers if fold.count else PUBLISHED_SPLITS,
        fold=fold,
        classes=judged_classes(index, taught),
    )
    if fold.count:
        say(
            f"no test video is rated: a fold of {folds} of the {taught.sum():,} rated videos is "
            "kept back to judge"
        )
    return Roles(
        videos=PUBLISHED_SPLITS,
        rated=teachers,
        fold=fold,
        judges=judges,
        skip_head=head,
        skip_tail=tail,
        num_videos=int(learned.sum()),
    )


def num_rated(index: Index) -> NDArray[np.int64]:
    """Return (R,) how many ratings each record holds."""
    lengths = pc.fill_null(pc.list_value_length(index.table["segment_starts"]), 0)
    return np.asarray(lengths.to_numpy(), dtype=np.int64)


def refuse_records(index: Index, shards: Sequence[int]) -> None:
    """Raise DataError where no record has segments, or some are of unknown classes.

    Args:
        index: of the data.
        shards: numbers of those that unknown classes are looked for in.
    """
    if index.kind == "video":
        raise DataError(
            "holds one vector a video, which has no segments; frame-level records are needed "
            "(features at 1 Hz)",
            where=index.root,
            hint="Take YouTube-8M's frame-level files, or `reeltag synth DATA` to try it.",
        )
    outside = pc.match_substring(index.table["problem"], "label outside the vocabulary")
    bad = pc.fill_null(outside, False).to_numpy() & np.isin(index.table["shard"], shards)
    if bad.any():
        names = index.table["id"].filter(bad)[:3].to_pylist()
        raise DataError(
            f"{bad.sum():,} records have labels or rated segments of classes outside the "
            f"vocabulary of {index.num_classes} classes: "
            f"{', '.join(map(repr, names))}, ...",
            where=index.root,
            hint="Lay the vocabulary of these data beside them (vocabulary.csv); `reeltag info "
            "DATA` names the records.",
        )


def shards_named(index: Index, split: Split, *, needed: bool = True) -> list[int]:
    """Return the numbers of the shards that a split has by the names as published.

    Raises:
        DataError: there are none, and they are needed.
    """
    try:
        return Splits(holdout=0.0).shards(index, split)
    except ConfigError as error:
        if not needed:
            return []
        what = {"train": "videos with video labels", "validate": "videos with rated segments"}
        raise DataError(
            f"has no shard of the split {split!r}: {what[split]} are needed, in files or a folder "
            f"whose name begins with {split}",
            where=index.root,
            hint="Name them so, or link them into such folders; `reeltag synth DATA` shows how it "
            "should look.",
        ) from error


def _unrated(index: Index, count: int) -> DataError:
    return DataError(
        f"none of the {count:,} videos of the split 'validate' has rated segments, which are "
        "needed to teach",
        where=index.root,
        hint="Take YouTube-8M's validate files of 2019 (3/frame), or records with "
        "segment_start_times, segment_labels and segment_scores; `reeltag synth DATA` makes some.",
    )


def pattern_of(index: Index, shards: list[int]) -> str:
    """Return a pattern that names these shards and no others."""
    for pattern in _PATTERNS:
        try:
            if Splits(train=pattern, holdout=0.0).shards(index, "train") == shards:
                return pattern
        except ConfigError:
            continue
    return ",".join(index.shards[shard] for shard in shards)


def judged_classes(index: Index, taught: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the classes that count: those of segment_label_ids.csv, or those that were rated."""
    path = find_segment_classes(index.root)
    if path is not None:
        return tuple(np.flatnonzero(ClassList.open(path).mask(index.num_classes)).tolist())
    rated = lists_of(index.table.filter(taught).combine_chunks(), "segment_labels")[1]
    return tuple(np.unique(rated).tolist())


def _skipped(index: Index, taught: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many segments at head and tail of the videos nobody rated."""
    table = index.table.filter(taught).combine_chunks()
    bounds, starts = lists_of(table, "segment_starts")
    frames = np.repeat(column_of(table, "frames"), np.diff(bounds))
    behind = -(-frames // SEGMENT_SECONDS) - 1 - starts // SEGMENT_SECONDS
    return int(starts.min()) // SEGMENT_SECONDS, max(0, int(behind.min()))
