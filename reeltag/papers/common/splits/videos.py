"""Which videos train, which are held out and which judge, where whole videos are what is tagged.

`held_out_parts`, as Axon have it: of YouTube-8M's `validate` one shard in ten (`validate???5`) is
held out, to watch trainings by and to learn weights on; the others train beside `train`. Where
shards have other names, the names as published or patterns decide. `test` judges where its labels
are known. `fold_parts`, as Samsung have it: `train` and `validate` teach, in folds; `test` judges.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import dataset_of
from reeltag.data.index import Index
from reeltag.data.selection import column_of, lists_of
from reeltag.data.splits import Split, Splits
from reeltag.papers.common.splits.segments import Judges

TAUGHT, HELD_OUT = "train*,validate???[!5]", "validate???5"  # papers/axon2018 sec. 2
_TEACHING: tuple[Split, ...] = ("train", "validate")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What each part of a data set is for.

    Attributes:
        splits: the rule under which `train` teaches and, if it is counted, `validate` is held out.
        judge: the split that judges.
        counts: usable videos with labels of each split that is looked at.
        labels: videos that a label has in `train`, on average over those that occur; 0 = not asked.
    """

    splits: Splits
    judge: Split
    counts: dict[Split, int]
    labels: float = 0.0

    @property
    def judges(self) -> Judges:
        """Who judges, as scores take it."""
        return Judges(split=self.judge, splits=self.splits)


def held_out_parts(index: Index, *, train: str = "", validate: str = "", test: str = "") -> Parts:
    """Return what each part of a data set is for; what is unusual about it is said.

    Args:
        index: of the data.
        train: pattern of the shards that teach; empty: as published.
        validate: pattern of the shards that are held out; empty: as published.
        test: pattern of the shards that judge; empty: as published.

    Raises:
        DataError: no video with labels teaches, or none is held out; the way out is said.
        ConfigError: patterns name no shard, or one shard twice.
    """
    splits = _splits(index, Splits(train=train, validate=validate, test=test))
    counts = {of: _labelled(index, splits, of) for of in _TEACHING}
    for split, what in zip(_TEACHING, ("teaches", "is held out"), strict=True):
        if not counts[split]:
            raise DataError(
                f"no video with labels {what}: none of the split {split!r} has any",
                where=index.root,
                hint=f"Name shards with labels with --{split} GLOB; `reeltag info DATA` tells what "
                "is there.",
            )
    tested = _labelled(index, splits, "test")
    if not tested:
        say(
            f"no test video has labels: the {counts['validate']:,} held-out videos judge, on which "
            "weights are learned too"
        )
    return Parts(
        splits=splits,
        judge="test" if tested else "validate",
        counts=counts | ({"test": tested} if tested else {}),
        labels=_videos_a_label(index, splits),
    )


def fold_parts(
    index: Index,
    *,
    folds: int,
    train: str = "",
    validate: str = "",
    test: str = "",
    with_validate: bool = True,
) -> Parts:
    """Return what each part of a data set is for: `train` and `validate` teach, `test` judges.

    Args:
        index: of the data.
        folds: parts of the videos that teach; nothing else is held out.
        train: pattern of the shards that teach; empty: as published.
        validate: pattern of the shards that teach beside them; empty: as published.
        test: pattern of the shards that judge; empty: as published.
        with_validate: learn from `validate` too; else nobody looks at it.

    Raises:
        DataError: too few videos have labels to teach or to judge; the way out is said.
        ConfigError: patterns name no shard, or one shard twice.
    """
    given = Splits(train=train, validate=validate, test=test, holdout=0.0)
    if with_validate:
        given = replace(given, train=_both(index, given), validate="")
    counts: dict[Split, int] = {of: _labelled(index, given, of) for of in ("train", "test")}
    if counts["train"] < 2 * folds:
        raise DataError(
            f"has {counts['train']:,} videos with labels to learn from; {folds} folds take "
            f"{2 * folds} at least",
            where=index.root,
            hint="Name the shards that teach with --train GLOB and --validate GLOB; `reeltag info "
            "DATA` tells what is there.",
        )
    if not counts["test"]:
        raise DataError(
            "no test video has labels, and these judge",
            where=index.root,
            hint="Keep some labelled shards back: --validate 'validate[0-2]*' --test "
            "'validate3*', for example; `reeltag info DATA` tells what is there.",
        )
    return Parts(splits=given, judge="test", counts=counts)


def _splits(index: Index, given: Splits) -> Splits:
    """Return the rule; without patterns, a tenth of `validate` is held out if it can be."""
    if not given.train and not given.validate:
        tenth = replace(given, train=TAUGHT, validate=HELD_OUT)
        if all(_shards(index, tenth, of, needed=False) for of in _TEACHING):
            return tenth
    for split in _TEACHING:
        given.shards(index, split)  # ConfigError with the way out
    return given


def _videos_a_label(index: Index, splits: Splits) -> float:
    """Return how many training videos a label has, on average over those that occur."""
    counts = dataset_of(index).with_splits(splits).videos("train").label_counts()
    return float(counts[counts > 0].mean())


def _both(index: Index, given: Splits) -> str:
    """Return a pattern of the shards of `train` and of `validate`, and of no others."""
    taught = sorted({at for of in ("train", "validate") for at in _shards(index, given, of)})
    names = [given.train] if given.train else ["train*", "train/*", "*/train/*"]
    more = [given.validate] if given.validate else ["validate*", "validate/*", "*/validate/*"]
    for one, other in product(names, more):
        pattern = f"{one},{other}"
        try:
            found = replace(given, train=pattern, validate="").shards(index, "train")
        except ConfigError:  # one of these shards judges
            continue
        if found == taught:
            return pattern
    return ",".join(index.shards[at] for at in taught)


def _shards(index: Index, splits: Splits, split: Split, *, needed: bool | None = None) -> list[int]:
    """Return the shards of a split; [] where there are none and none are needed.

    Raises:
        ConfigError: none is there and some are `needed` (None: where a pattern of the split asks
            for them), or one stands in two splits.
    """
    needed = bool(getattr(splits, split)) if needed is None else needed
    try:
        return splits.shards(index, split)
    except ConfigError as error:
        if needed or "patterns of both" in str(error):
            raise
        return []


def _labelled(index: Index, splits: Splits, split: Split) -> int:
    """Return how many usable videos of a split have labels."""
    mine = np.isin(column_of(index.table, "shard"), _shards(index, splits, split))
    labels = np.diff(lists_of(index.table, "labels")[0])
    return int((mine & ~column_of(index.table, "skip") & (labels > 0)).sum())
