"""Rated segments that train and those that are evaluated, as the challenge of 2019 has them.

There all public ratings are of `validate`: they train, and a fold of their videos is held out for
evaluation. Where `test` is rated too (reels, mosaics, synthetic data), `test` is evaluated and all
of `validate` trains.
"""

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset
from reeltag.data.items import SEGMENT_SECONDS
from reeltag.data.selection import column_of, lists_of
from reeltag.data.splits import PUBLISHED_SPLITS, Split, Splits
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

_CONTENTS = {"train": "videos with video labels", "validate": "videos with rated segments"}


def assign_segment_splits(
    data: Dataset, *, folds: int = 5, soft_labels: bool = True
) -> SplitAssignment:
    """Return what each part of a data set is for, by the published names of shards.

    Args:
        data: the data set.
        folds: where no test video is rated: parts of the rated videos, one of which is evaluated.
        soft_labels: whether segments of the training videos get soft labels, so that some must be
            long enough.

    Raises:
        DataError: a needed part is missing; the error names the command that makes it.
    """
    test = shards_of(data, "test")
    check_segments(data, [*shards_of(data, "validate"), *test])
    train, validate = (_needed(data, split) for split in ("train", "validate"))
    is_rated = num_rated(data) > 0
    trained, rated = rows_in(data, train), rows_in(data, validate) & is_rated
    if not rated.any():
        raise DataError(
            f"none of the {rows_in(data, validate).sum():,} videos of the split 'validate' has "
            "rated segments, which are needed for training",
            where=data.root,
            hint="Take YouTube-8M's validate files of 2019 (3/frame), or records with "
            "segment_start_times, segment_labels and segment_scores; `reeltag synth DATA` makes "
            "some.",
        )
    head, tail = _unrated_ends(data, rated)
    if soft_labels:
        _check_long_enough(data, trained, head, tail)
    tested = bool((rows_in(data, test) & is_rated).any())
    fold = FoldConfig() if tested else FoldConfig(count=folds, by="ratings")
    rule = Splits(train=pattern_of(data, validate), holdout=0.0)
    if not tested:
        say(
            f"no test video is rated: a fold of {folds} of the {rated.sum():,} rated videos is "
            "held out for evaluation"
        )
    return SplitAssignment(
        videos=PUBLISHED_SPLITS,
        rated=rule,
        fold=fold,
        evaluation=EvalSplit(
            split="test" if tested else "train",
            splits=PUBLISHED_SPLITS if tested else rule,
            fold=fold,
            classes=evaluated_classes(data, rated),
        ),
        skip_head=head,
        skip_tail=tail,
        num_videos=int(trained.sum()),
    )


def _needed(data: Dataset, split: Split) -> list[int]:
    """Return the shards of a split; DataError where there are none."""
    found = shards_of(data, split)
    if not found:
        raise DataError(
            f"has no shard of the split {split!r}: {_CONTENTS[split]} are needed, in files or a "
            f"folder whose name begins with {split}",
            where=data.root,
            hint="Name them so, or link them into such folders; `reeltag synth DATA` shows how it "
            "should look.",
        )
    return found


def _check_long_enough(data: Dataset, trained: NDArray[np.bool_], head: int, tail: int) -> None:
    """Raise DataError where no training video has a segment between the unrated ends."""
    length = column_of(data.table, "frames")[trained] / data.features.rate_hz // SEGMENT_SECONDS
    if not (length - head > tail).any():
        raise DataError(
            f"no training video is longer than {(head + tail) * SEGMENT_SECONDS} s, and what is "
            "nearer to the ends is unrated: there is no 5-second segment for soft labels",
            where=data.root,
            hint="Soft labels need training videos as long as the rated ones, of 5 s at least; "
            "`reeltag info DATA` shows how long they are.",
        )


def _unrated_ends(data: Dataset, rated: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many segments at head and tail of the rated videos have no rating in any."""
    table = data.table.filter(rated).combine_chunks()
    bounds, starts = lists_of(table, "segment_starts")
    seconds = np.repeat(column_of(table, "frames") / data.features.rate_hz, np.diff(bounds))
    behind = np.ceil(seconds / SEGMENT_SECONDS) - 1 - starts // SEGMENT_SECONDS
    return int(starts.min()) // SEGMENT_SECONDS, max(0, int(behind.min()))
