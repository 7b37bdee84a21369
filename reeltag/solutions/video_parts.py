"""Which videos train, which are held out and which judge, where whole videos are what is tagged.

As Axon have it, of YouTube-8M's `validate` one shard in ten (`validate???5`) is held out, to watch
trainings by and to learn weights on; the others train beside `train`. Where shards have other
names, the names as published or patterns decide. `test` judges where its labels are known.
"""

from dataclasses import dataclass, replace

import numpy as np

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import videos
from reeltag.data.index import Index
from reeltag.data.selection import column_of, lists_of
from reeltag.data.splits import Split, Splits
from reeltag.solutions.judges import Judges

TAUGHT, HELD_OUT = "train*,validate???[!5]", "validate???5"  # papers/axon2018 sec. 2
_TEACHING: tuple[Split, ...] = ("train", "validate")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What each part of a data set is for.

    Attributes:
        splits: the rule under which `train` teaches and `validate` is held out.
        judge: the split that judges.
        counts: usable videos with labels of `train`, `validate` and, where it judges, `test`.
        labels: videos that a label has in `train`, on average over those that occur.
    """

    splits: Splits
    judge: Split
    counts: dict[Split, int]
    labels: float = 0.0

    @property
    def judges(self) -> Judges:
        """Who judges, as scores take it."""
        return Judges(split=self.judge, splits=self.splits)


def video_parts(index: Index, *, train: str = "", validate: str = "", test: str = "") -> Parts:
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
    tested = _tested(index, splits)
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


def _splits(index: Index, given: Splits) -> Splits:
    """Return the rule; without patterns, a tenth of `validate` is held out if it can be."""
    if not given.train and not given.validate:
        tenth = replace(given, train=TAUGHT, validate=HELD_OUT)
        if _has(index, tenth, "validate") and _has(index, tenth, "train"):
            return tenth
    for split in _TEACHING:
        given.shards(index, split)  # ConfigError with the way out
    return given


def _has(index: Index, splits: Splits, split: Split) -> bool:
    try:
        return bool(splits.shards(index, split))
    except ConfigError as error:
        if "patterns of both" in str(error):
            raise
        return False


def _tested(index: Index, splits: Splits) -> int:
    """Return how many videos of `test` have labels; 0 where there is no such split."""
    if splits.test or _has(index, splits, "test"):
        return _labelled(index, splits, "test")
    return 0


def _videos_a_label(index: Index, splits: Splits) -> float:
    """Return how many training videos a label has, on average over those that occur."""
    counts = videos(index, "train", splits=splits).label_counts()
    return float(counts[counts > 0].mean())


def _labelled(index: Index, splits: Splits, split: Split) -> int:
    """Return how many usable videos of a split have labels."""
    mine = np.isin(column_of(index.table, "shard"), splits.shards(index, split))
    labels = np.diff(lists_of(index.table, "labels")[0])
    return int((mine & ~column_of(index.table, "skip") & (labels > 0)).sum())
