"""Whole videos that train, are held out, and are evaluated.

`assign_held_out_splits`, as Axon: of YouTube-8M's `validate` one shard in ten (`validate???5`) is
held out, to watch trainings and to learn weights; the others train with `train`. Where shards have
other names, the published names or patterns decide. `test` is evaluated where it has labels.
`assign_fold_splits`, as Samsung: `train` and `validate` train, in folds; `test` is evaluated.
"""

from dataclasses import replace
from itertools import product

import numpy as np

from reeltag.core.console import say
from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset
from reeltag.data.selection import lists_of
from reeltag.data.splits import Split, Splits
from reeltag.papers.common.splits.assignment import (
    VideoSplitAssignment,
    pattern_of,
    published_patterns,
    rows_in,
    shards_of,
)

TRAINED, HELD_OUT = "train*,validate???[!5]", "validate???5"  # Axon 2018, sec. 2
_BOTH: tuple[Split, ...] = ("train", "validate")


def assign_held_out_splits(data: Dataset, given: Splits) -> VideoSplitAssignment:
    """Return what each part of a data set is for; log what is unusual about it.

    Args:
        data: the data set.
        given: patterns of shards; where one is empty, the published names count.

    Raises:
        DataError: no video with labels trains, or none is held out.
        ConfigError: a pattern names no shard, or two name the same.
    """
    splits = _held_out_rule(data, given)
    counts = {split: _count_labelled(data, splits, split) for split in _BOTH}
    for split, purpose in zip(_BOTH, ("to train on", "that is held out"), strict=True):
        if not counts[split]:
            raise DataError(
                f"has no video with labels {purpose}: none of the split {split!r} has any",
                where=data.root,
                hint=f"Name shards with labels with --{split} GLOB; `reeltag info DATA` lists "
                "them.",
            )
    tested = _count_labelled(data, splits, "test")
    if not tested:
        say(
            f"no test video has labels: the {counts['validate']:,} held-out videos are evaluated, "
            "on which weights are learned too"
        )
    labels = data.with_splits(splits).videos("train").label_counts()
    return VideoSplitAssignment(
        splits=splits,
        split="test" if tested else "validate",
        counts=counts | ({"test": tested} if tested else {}),
        videos_per_label=float(labels[labels > 0].mean()),
    )


def assign_fold_splits(
    data: Dataset, given: Splits, *, folds: int, with_validate: bool = True
) -> VideoSplitAssignment:
    """Return what each part of a data set is for: `train` and `validate` train, `test` is tested.

    Args:
        data: the data set.
        given: patterns of shards; where one is empty, the published names count.
        folds: parts of the training videos; nothing else is held out.
        with_validate: train on `validate` too; else it is not used.

    Raises:
        DataError: too few videos have labels for training or evaluation.
        ConfigError: a pattern names no shard, or two name the same.
    """
    splits = replace(given, holdout=0.0)
    if with_validate:
        splits = replace(splits, train=_pattern_of_both(data, splits), validate="")
    counts: dict[Split, int] = {
        split: _count_labelled(data, splits, split) for split in ("train", "test")
    }
    if counts["train"] < 2 * folds:
        raise DataError(
            f"has {counts['train']:,} videos with labels to train on; {folds} folds need "
            f"{2 * folds} at least",
            where=data.root,
            hint="Name the shards to train on with --train GLOB and --validate GLOB; `reeltag "
            "info DATA` lists them.",
        )
    if not counts["test"]:
        raise DataError(
            "no test video has labels, and these are evaluated",
            where=data.root,
            hint="Keep some labelled shards back: --validate 'validate[0-2]*' --test "
            "'validate3*', for example; `reeltag info DATA` lists them.",
        )
    return VideoSplitAssignment(splits=splits, split="test", counts=counts)


def _held_out_rule(data: Dataset, given: Splits) -> Splits:
    """Return the rule; without patterns, a tenth of `validate` is held out if it can be."""
    if not given.train and not given.validate:
        tenth = replace(given, train=TRAINED, validate=HELD_OUT)
        if all(shards_of(data, split, tenth) for split in _BOTH):
            return tenth
    for split in _BOTH:
        shards_of(data, split, given, needed=True)
    return given


def _pattern_of_both(data: Dataset, given: Splits) -> str:
    """Return a pattern of the shards of `train` and of `validate`, and of no others."""
    train, validate = (
        shards_of(data, split, given, needed=bool(getattr(given, split))) for split in _BOTH
    )
    first, second = (
        [getattr(given, split)] if getattr(given, split) else published_patterns(split)
        for split in _BOTH
    )
    patterns = [",".join(pair) for pair in product(first, second)]
    return pattern_of(data, sorted({*train, *validate}), patterns)


def _count_labelled(data: Dataset, splits: Splits, split: Split) -> int:
    """Return how many usable videos of a split have labels."""
    shards = shards_of(data, split, splits, needed=bool(getattr(splits, split)))
    labels = np.diff(lists_of(data.table, "labels")[0])
    return int((rows_in(data, shards) & (labels > 0)).sum())
