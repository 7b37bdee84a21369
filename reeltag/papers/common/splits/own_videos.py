"""Parts of somebody's own videos that train and that are evaluated, by what the records hold.

Shards of `test` (by their name or folder) never train; where they are rated, they are evaluated. Of
all others, those with ratings train on segments, and a fold of their videos is held out. Whole
videos are those of the shards named train, or, where none is, of all.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset
from reeltag.data.items import unaligned_ratings
from reeltag.data.selection import column_of, lists_of
from reeltag.data.splits import PUBLISHED_SPLITS, Splits
from reeltag.labels.folds import FoldConfig
from reeltag.papers.common.splits.assignment import (
    EvalSplit,
    SplitAssignment,
    check_segments,
    evaluated_classes,
    num_rated,
    pattern_of,
    rows_in,
    shards_of,
)
from reeltag.training.frame_regression import YES

FEW = 100  # fewer ratings train no network, and evaluate nothing
_HINT = (
    "A rating is whether one class is in one window, such as 5 s: a row of --ratings, or "
    "in a record the lists segment_start_times, segment_end_times, segment_labels (class) and "
    "segment_scores (1 yes, 0 no), as YouTube-8M's of 2019; `reeltag synth DATA` makes such "
    "records. A few hundred of some dozen videos, half of them no, are a start; on reels 5,166 of "
    "73 classes raised MAP by 0.08. --without-ratings goes on with stage I alone."
)


@dataclass(frozen=True, kw_only=True)
class OwnVideos:
    """What a data set holds, and what each part is for.

    Attributes:
        assignment: what each part is for.
        video_fold: fold of the rated videos that whole-video training leaves out too, because it is
            evaluated; count 0 = none.
        evaluable: whether there are ratings to evaluate on.
        ratings: to train on, those of the held-out fold included.
        classes: with a rating, or (without ratings) with a labelled video.
        widths: of the streams.
        seconds: of the median training video.
        rate_hz: frames per second.
        frequent: the class with the most positive ratings, or else labelled videos.
        has_test: whether there are shards of `test`.
    """

    assignment: SplitAssignment
    video_fold: FoldConfig
    evaluable: bool
    ratings: int
    classes: int
    widths: tuple[int, ...]
    seconds: float
    rate_hz: float
    frequent: int
    has_test: bool


def assign_own_splits(
    data: Dataset, *, folds: int, without_ratings: bool, regressed_below: int = 0
) -> OwnVideos:
    """Return what a data set holds, and what each part of it is for.

    Where frames are regressed, two ratings are enough, a yes and a no of a class, and no video
    needs a label. With less than 100, or of fewer videos than folds, none is held out: all train.

    Args:
        data: the data set.
        folds: where no test video is rated: parts of the rated videos, one of which is evaluated.
        without_ratings: ratings, if there are any, are only evaluated.
        regressed_below: videos to train on below which frames are regressed.

    Raises:
        DataError: a needed part is missing; the error explains how it is stored.
    """
    check_segments(data, range(len(data.shards)))
    _log_ratings(data)
    video_shards, rated_shards, mixed = _shards(data)
    is_rated, test = num_rated(data) > 0, shards_of(data, "test")
    trained, rated = rows_in(data, video_shards), rows_in(data, rated_shards) & is_rated
    tested = bool((rows_in(data, test) & is_rated).any())
    few_will_do = int(trained.sum()) < regressed_below and not without_ratings
    labels = _video_labels(data, trained, video_shards, needed=not few_will_do)
    positives, ratings = _positive_classes(data, rated), int(num_rated(data)[rated].sum())
    if few_will_do:
        _check_few_ratings(data, rated, ratings, has_labels=len(labels) > 0)
    elif not without_ratings:
        _check_ratings(data, rated, positives, folds=0 if tested else folds)
    enough = mixed if without_ratings else ratings >= FEW and 0 < len(positives) < ratings
    held_out = not tested and enough and bool(rated.sum() >= folds)
    rule = _all_in(data, rated_shards) if rated_shards else PUBLISHED_SPLITS
    evaluation = EvalSplit(
        split="test" if tested else "train",
        splits=PUBLISHED_SPLITS if tested else rule,
        fold=FoldConfig(count=folds, by="ratings") if held_out else FoldConfig(),
        classes=evaluated_classes(data, rated) if rated.any() else (),
    )
    unseen = held_out or (without_ratings and not mixed)
    if evaluable := tested or (0 < len(positives) < ratings and unseen):
        _log_twins(data, trained, evaluation.rows(data))
    return OwnVideos(
        assignment=SplitAssignment(
            videos=_all_in(data, video_shards),
            rated=rule,
            fold=evaluation.fold,
            evaluation=evaluation,
            num_videos=int(trained.sum()),
        ),
        video_fold=evaluation.fold if mixed else FoldConfig(),
        evaluable=evaluable,
        ratings=ratings,
        classes=len(evaluation.classes) or len(np.unique(labels)),
        widths=tuple(stream.width for stream in data.streams),
        seconds=float(np.median(column_of(data.table, "frames")[trained])) / data.features.rate_hz,
        rate_hz=data.features.rate_hz,
        frequent=int(np.bincount(positives if len(positives) else labels).argmax()),
        has_test=bool(test),
    )


def _all_in(data: Dataset, shards: list[int]) -> Splits:
    """Return the rule by which all videos of some shards train."""
    return Splits(train=pattern_of(data, shards), holdout=0.0)


def _shards(data: Dataset) -> tuple[list[int], list[int], bool]:
    """Return the shards of training videos, those with ratings, and whether some are both.

    If so, the first are all of them: folds by ratings are then the same for either.
    """
    test = set(shards_of(data, "test"))
    rated = sorted(set(column_of(data.table, "shard")[num_rated(data) > 0].tolist()) - test)
    others = [number for number in range(len(data.shards)) if number not in test]
    videos = shards_of(data, "train") or others
    mixed = bool(set(videos) & set(rated))
    return sorted({*videos, *rated}) if mixed else videos, rated, mixed


def _log_ratings(data: Dataset) -> None:
    """Log how many ratings cannot be used, and how many are of windows of their own."""
    _log_unusable_ratings(data)
    _log_unaligned_ratings(data)


def _log_unusable_ratings(data: Dataset) -> None:
    """Log how many records with ratings cannot be used."""
    lost = column_of(data.table, "skip") & (num_rated(data) > 0)
    if not lost.any():
        return
    twins = pc.match_substring(data.table["problem"].filter(lost), "duplicate id")
    count = pc.sum(twins).as_py() or 0
    why = f": {_problems(data, lost)}"
    if count:
        why = (
            f", {count:,} of them because an earlier record has the same id: labels and ratings "
            "of a video belong into one record"
        )
    say(f"{lost.sum():,} records with ratings are left out{why} (`reeltag info DATA` names them)")


def _log_unaligned_ratings(data: Dataset) -> None:
    """Log how many ratings are of windows of their own."""
    unaligned = unaligned_ratings(data)
    if unaligned:
        say(
            f"{unaligned:,} ratings are of other windows than 5-second segments: each is trained "
            "on and scored exactly as it is"
        )


def _log_twins(data: Dataset, trained: NDArray[np.bool_], evaluated: NDArray[np.bool_]) -> None:
    """Log how many evaluated videos have another record, of the same id, that trains."""
    ids, values = data.table["id"], data.table["id"].filter(evaluated).combine_chunks()
    seen = pc.is_in(ids.filter(trained & ~evaluated), value_set=values)
    count = pc.sum(seen).as_py() or 0
    if count:
        say(
            f"{count:,} of the {evaluated.sum():,} evaluated videos are also among the training "
            "videos, in a record of the same id: all scores are too good for that"
        )


def _problems(data: Dataset, rows: NDArray[np.bool_]) -> str:
    """Return what is wrong with these records, the most frequent first, as in "no id (4)"."""
    texts = data.table["problem"].filter(rows).drop_null().to_pylist()
    counts = Counter(problem for problems in texts for problem in problems.split(";"))
    return ", ".join(f"{problem} ({count:,})" for problem, count in counts.most_common())


def _video_labels(
    data: Dataset, trained: NDArray[np.bool_], shards: list[int], *, needed: bool
) -> NDArray[np.int32]:
    """Return the labels of the training videos; DataError where there is none, if it is needed."""
    if not trained.any():
        mine = np.isin(column_of(data.table, "shard"), shards)
        raise DataError(
            f"none of the {mine.sum():,} records to train on can be used: {_problems(data, mine)}",
            where=data.root,
            hint="`reeltag info DATA` names them; docs/reference/records.md lists what a record "
            "must hold.",
        )
    labels = lists_of(data.table.filter(trained).combine_chunks(), "labels")[1]
    if needed and not len(labels):
        raise DataError(
            f"none of the {trained.sum():,} videos to train on has a video label",
            where=data.root,
            hint="Stage I trains on `labels` of whole videos; `reeltag info DATA` counts them.",
        )
    return labels


def _positive_classes(data: Dataset, rated: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the class of each positive rating, as evaluation counts them."""
    table = data.table.filter(rated).combine_chunks()
    positive = lists_of(table, "segment_scores")[1] > 0
    classes: NDArray[np.int32] = lists_of(table, "segment_labels")[1][positive]
    return classes


def _check_few_ratings(
    data: Dataset, rated: NDArray[np.bool_], count: int, *, has_labels: bool
) -> None:
    """Raise DataError where nothing can be learned from ratings: no class has a yes and a no."""
    if not count:
        what = "holds no rating of any segment to train on; two are enough, a yes and a no"
        raise DataError(what, where=data.root, hint=_HINT)
    table = data.table.filter(rated).combine_chunks()
    classes = lists_of(table, "segment_labels")[1]
    yes = lists_of(table, "segment_scores")[1] > YES
    if not has_labels and not len(np.intersect1d(classes[yes], classes[~yes])):
        raise DataError(
            f"of the {count:,} ratings, those of each class are all yes or all no, and no video "
            "has a label: nothing separates the two",
            where=data.root,
            hint=_HINT,
        )


def _check_ratings(
    data: Dataset, rated: NDArray[np.bool_], positives: NDArray[np.int32], *, folds: int
) -> None:
    """Raise DataError where ratings are too few, all alike, or of too few videos."""
    count = int(num_rated(data)[rated].sum())
    if count < FEW:
        what = f"{count:,} ratings of segments" if count else "no rating of any segment"
        raise DataError(
            f"holds {what} to train on; at least {FEW} are needed", where=data.root, hint=_HINT
        )
    if not 0 < len(positives) < count:
        kind = "yes, the class is there" if len(positives) else "no, the class is not there"
        raise DataError(
            f"all of the {count:,} ratings are {kind}: nothing separates the two",
            where=data.root,
            hint=_HINT,
        )
    if rated.sum() < folds:
        raise DataError(
            f"the {count:,} ratings are of {rated.sum()} videos; one of {folds} parts of the "
            "videos is held out for evaluation",
            where=data.root,
            hint="Rate segments of more videos, or take fewer parts with --folds.",
        )
