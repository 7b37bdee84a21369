"""Which records of somebody's own data teach, and which judge: told from what they hold.

Shards of `test` (by their name or folder) never teach; where they are rated, they judge. Of all
others, those with ratings teach segments, and a part of their videos is held out to judge. Whole
videos are learned from the shards named train, or, where none is, from all.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.core.errors import DataError
from reeltag.data.index import Index
from reeltag.data.selection import column_of, lists_of
from reeltag.data.splits import PUBLISHED_SPLITS, Splits
from reeltag.inference.windows import SEGMENT_SECONDS
from reeltag.labels.folds import FoldConfig
from reeltag.papers.common.splits.segments import (
    Judges,
    Roles,
    judged_classes,
    num_rated,
    pattern_of,
    refuse_records,
    shards_named,
)

FEW = 100  # ratings below which nothing can be learned from them and judged by them
_HINT = (
    "A rating says of one 5-second segment whether one class is in it: in a frame-level record, "
    "the lists segment_start_times, segment_end_times, segment_labels (class) and segment_scores "
    "(1 yes, 0 no), as YouTube-8M's of 2019; `reeltag synth DATA` makes such records. A few "
    "hundred of some dozen videos, half of them no, are a start; on reels 5,166 of 73 classes "
    "raised MAP by 0.08. --without-ratings goes on with stage I alone."
)


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """What a data set holds, and what it is for.

    Attributes:
        roles: what each part is for.
        video_fold: of the rated videos, what is kept from whole-video training too, because it
            judges; count 0 = nothing.
        judged: whether there are ratings to judge by.
        ratings: that may teach, those that are held out included.
        classes: with a rating, or (without ratings) with a labelled video.
        widths: of the streams.
        seconds: of the median training video.
        frequent: the class with the most positive ratings, or else labelled videos.
        has_test: whether there are shards of `test`.
    """

    roles: Roles
    video_fold: FoldConfig
    judged: bool
    ratings: int
    classes: int
    widths: tuple[int, ...]
    seconds: float
    frequent: int
    has_test: bool


def own_data(index: Index, *, folds: int, without_ratings: bool) -> OwnData:
    """Return what a data set holds, and what each part of it is for.

    Args:
        index: of the data.
        folds: where no test video is rated: parts of the rated videos, one of which judges.
        without_ratings: ratings, if there are any, judge and do not teach.

    Raises:
        DataError: what is needed is not there; how it is stored is said.
    """
    refuse_records(index, range(len(index.shards)))
    _tell_lost(index)
    _tell_beside_scored(index)
    learning, holding, mixed = _shards(index)
    shard, usable = column_of(index.table, "shard"), ~column_of(index.table, "skip")
    rated = usable & (num_rated(index) > 0)
    learned, taught = usable & np.isin(shard, learning), rated & np.isin(shard, holding)
    if not learned.any():
        _refuse_unusable(index, np.isin(shard, learning))
    test = shards_named(index, "test", needed=False)
    tested = bool((rated & np.isin(shard, test)).any())
    labels = lists_of(index.table.filter(learned).combine_chunks(), "labels")[1]
    if not len(labels):
        what = f"none of the {learned.sum():,} videos to learn from has a video label"
        hint = "Stage I learns from `labels` of whole videos; `reeltag info DATA` tells of them."
        raise DataError(what, where=index.root, hint=hint)
    yes = _checked(index, taught, folds=0 if tested else folds, needed=not without_ratings)
    kept_back = not tested and (not without_ratings or (mixed and taught.sum() >= folds))
    rule = Splits(train=pattern_of(index, holding), holdout=0.0) if holding else PUBLISHED_SPLITS
    judges = Judges(
        split="test" if tested else "train",
        splits=PUBLISHED_SPLITS if tested else rule,
        fold=FoldConfig(count=folds, by="ratings") if kept_back else FoldConfig(),
        classes=judged_classes(index, taught) if taught.any() else (),
    )
    roles = Roles(
        videos=Splits(train=pattern_of(index, learning), holdout=0.0),
        rated=rule,
        fold=judges.fold,
        judges=judges,
        skip_head=0,
        skip_tail=0,
        num_videos=int(learned.sum()),
    )
    ratings = int(num_rated(index)[taught].sum())
    known = tested or (0 < len(yes) < ratings and (kept_back or not mixed))
    if known:
        _tell_twins(index, learned, judges.rows(index))
    return OwnData(
        roles=roles,
        video_fold=judges.fold if mixed else FoldConfig(),
        judged=known,
        ratings=ratings,
        classes=len(judges.classes) or len(np.unique(labels)),
        widths=tuple(stream.width for stream in index.streams),
        seconds=float(np.median(column_of(index.table, "frames")[learned])),
        frequent=int(np.bincount(yes if len(yes) else labels).argmax()),
        has_test=bool(test),
    )


def _shards(index: Index) -> tuple[list[int], list[int], bool]:
    """Return the shards with videos to learn from, those with ratings, and whether some are both.

    If so, the first are all of them: folds by ratings are then the same for either.
    """
    shard, rated = column_of(index.table, "shard"), num_rated(index) > 0
    test = set(shards_named(index, "test", needed=False))
    holding = sorted(set(shard[rated].tolist()) - test)
    others = [number for number in range(len(index.shards)) if number not in test]
    learning = shards_named(index, "train", needed=False) or others
    mixed = bool(set(learning) & set(holding))
    return sorted({*learning, *holding}) if mixed else learning, holding, mixed


def _tell_lost(index: Index) -> None:
    """Say how many records with ratings cannot be used."""
    lost = column_of(index.table, "skip") & (num_rated(index) > 0)
    if not lost.any():
        return
    twins = pc.match_substring(index.table["problem"].filter(lost), "duplicate id")
    count = pc.sum(twins).as_py() or 0
    why = f": {_problems(index, lost)}"
    if count:
        why = (
            f", {count:,} of them because an earlier record has the same id: labels and ratings "
            "of a video belong into one record"
        )
    say(f"{lost.sum():,} records with ratings are left out{why} (`reeltag info DATA` names them)")


def _tell_beside_scored(index: Index) -> None:
    """Say how many ratings are of segments that begin where none is scored."""
    used = index.table.filter(pa.array(~column_of(index.table, "skip"))).combine_chunks()
    starts = lists_of(used, "segment_starts")[1]
    beside = int((starts % SEGMENT_SECONDS != 0).sum())
    if beside:
        say(
            f"{beside:,} of {len(starts):,} ratings begin at no multiple of {SEGMENT_SECONDS} s, "
            "where the segments begin that are scored: they teach, but where they judge they "
            "count as never found"
        )


def _refuse_unusable(index: Index, learning: NDArray[np.bool_]) -> None:
    """Raise DataError that says why none of these records can be learned from."""
    raise DataError(
        f"none of the {learning.sum():,} records to learn from can be used: "
        f"{_problems(index, learning)}",
        where=index.root,
        hint="`reeltag info DATA` names them; docs/records.md says what a record must hold.",
    )


def _problems(index: Index, rows: NDArray[np.bool_]) -> str:
    """Return what is wrong with these records, the most frequent first, as in "no id (4)"."""
    told = index.table["problem"].filter(rows).drop_null().to_pylist()
    counts = Counter(problem for problems in told for problem in problems.split(";"))
    return ", ".join(f"{problem} ({count:,})" for problem, count in counts.most_common())


def _tell_twins(index: Index, learned: NDArray[np.bool_], judging: NDArray[np.bool_]) -> None:
    """Say so if a video that judges has another record, of the same id, that is learned from."""
    ids = index.table["id"]
    seen = pc.is_in(ids.filter(learned & ~judging), value_set=ids.filter(judging).combine_chunks())
    count = pc.sum(seen).as_py() or 0
    if count:
        say(
            f"{count:,} of the {judging.sum():,} videos that judge are also among those to learn "
            "from, in a record of the same id: all scores are flattered by that"
        )


def _checked(
    index: Index, taught: NDArray[np.bool_], *, folds: int, needed: bool
) -> NDArray[np.int32]:
    """Return the class of each positive rating; raise DataError where ratings are too few."""
    table = index.table.filter(taught).combine_chunks()
    positive = lists_of(table, "segment_scores")[1] > 0  # as whoever judges counts
    count, yes = len(positive), int(positive.sum())
    classes: NDArray[np.int32] = lists_of(table, "segment_labels")[1][positive]
    if not needed:
        return classes
    if count < FEW:
        what = f"{count:,} ratings of segments" if count else "no rating of any segment"
        raise DataError(
            f"holds {what} to learn from; {FEW} are needed at least", where=index.root, hint=_HINT
        )
    if not 0 < yes < count:
        kind = "yes, the class is there" if yes else "no, the class is not there"
        raise DataError(
            f"all of the {count:,} ratings say {kind}: nothing tells the two apart",
            where=index.root,
            hint=_HINT,
        )
    if taught.sum() < folds:
        raise DataError(
            f"the {count:,} ratings are of {taught.sum()} videos; one of {folds} parts of the "
            "videos is to be held out, to judge",
            where=index.root,
            hint="Rate segments of more videos, or take fewer parts with --folds.",
        )
    return classes
