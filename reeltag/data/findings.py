"""What of a data set is not used, and what in it looks wrong: from its index and a sample of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.frame_quality import describe_frames
from reeltag.data.items import SEGMENT_SECONDS
from reeltag.data.record_contents import describe_records
from reeltag.data.selection import lists_of
from reeltag.data.unused_files import unused_files

VALIDATION = "validation"
Topic: TypeAlias = Literal["not used", "looks wrong", "good to know"]
_SAME_VALUE = 1e-6  # of float32 in [0, 1]
_MANY = 100  # classes for each one that occurs: more look like a label that is none


@dataclass(frozen=True)
class DataFinding:
    """One thing about a data set that a person should know.

    Attributes:
        topic: what kind of thing.
        what: feature list, key, file, shard, label, ...
        why: the reason, or what it means.
    """

    topic: Topic
    what: str
    why: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.what}: {self.why}"


def find(data: Dataset, *, num_records: int = 20_000, num_frames: int = 2_000) -> list[DataFinding]:
    """Return what is not used, what looks wrong and what is good to know, in this order.

    Args:
        data: the data set.
        num_records: looked into for features, keys and labels, spread over the shards.
        num_frames: of the sample in which constant and clipped values are looked for.
    """
    contents = describe_records(data, num_records)
    reported: dict[Topic, list[Iterable[tuple[str, str]]]] = {
        "not used": [contents.unused, unused_files(data), _unused_shards(data)],
        "looks wrong": [
            contents.suspicious,
            _suspicious_classes(data),
            _suspicious_ratings(data),
            describe_frames(data, num_frames),
        ],
        "good to know": [_about_ratings(data)],
    }
    return [
        DataFinding(topic, what, why)
        for topic, some in reported.items()
        for pairs in some
        for what, why in pairs
    ]


def lines(data: Dataset, findings: list[DataFinding]) -> list[str]:
    """Return findings as at most one line each for what is not used and what looks wrong.

    That nothing is there to validate on is not among them: a training logs it by itself.
    """
    words = []
    for topic in ("not used", "looks wrong"):
        some = [
            str(finding)
            for finding in findings
            if finding.topic == topic and finding.what != VALIDATION
        ]
        if some:
            more = f"; and {len(some) - 3} more" if len(some) > 3 else ""
            words.append(f"{topic}: {'; '.join(some[:3])}{more} (`reeltag info {data.location}`)")
    return words


def _unused_shards(data: Dataset) -> Iterator[tuple[str, str]]:
    used = np.bincount(
        data.table["shard"].to_numpy()[~data.table["skip"].to_numpy()], minlength=len(data.shards)
    )
    empty = [name for name, count in zip(data.shards, used, strict=True) if not count]
    if empty:
        yield _shown("shards", empty), "no record in them can be used; see the problems"
    names = data.splits.unassigned(data.index)
    if names:
        why = "in no split; name them by --train, --validate or --test"
        yield _shown("shards", names), why


def _suspicious_classes(data: Dataset) -> Iterator[tuple[str, str]]:
    labels = np.concatenate(
        [lists_of(data.table, name)[1] for name in ("labels", "segment_labels")]
    )
    occur = len(np.unique(labels))
    if data.classes.inferred and occur and data.num_classes > _MANY * occur:
        why = f"the largest label is {labels.max():,}, but only {occur:,} classes occur"
        yield f"{data.num_classes:,} classes", f"{why}; give a classes.csv"
    if not occur:
        yield "labels", "no video has one"
    try:
        data.shards_of("validate")
    except ConfigError:
        yield VALIDATION, "no shard belongs to it: no best weights, no --patience"


def _about_ratings(data: Dataset) -> Iterator[tuple[str, str]]:
    starts, ends = (lists_of(data.table, f"segment_{name}")[1] for name in ("starts", "ends"))
    other = int((~np.isclose(ends - starts, SEGMENT_SECONDS)).sum())
    if other:
        why = f"of windows that are not {SEGMENT_SECONDS} s; each counts as it is"
        yield f"{other:,} of {len(starts):,} ratings", why


def _suspicious_ratings(data: Dataset) -> Iterator[tuple[str, str]]:
    """Yield ratings of one window and class that are there several times."""
    rows, starts = lists_of(data.table, "segment_starts")
    if not len(starts):
        return
    names = ("segment_ends", "segment_labels", "segment_scores")
    ends, classes, values = (lists_of(data.table, name)[1] for name in names)
    video = np.repeat(np.arange(len(rows) - 1), np.diff(rows))
    order = np.lexsort((values, classes, ends, starts, video))
    pairs = [column[order] for column in (video, starts, ends, classes)]
    again = np.logical_and.reduce([column[1:] == column[:-1] for column in pairs])
    differs = again & (np.abs(np.diff(values[order])) > _SAME_VALUE)
    if differs.any():
        why = "the same window and class has another value too; each of them counts"
        yield f"{int(differs.sum()):,} of {len(starts):,} ratings contradict others", why
    if (repeated := again & ~differs).any():
        why = "the same window, class and value; each of them counts"
        yield f"{int(repeated.sum()):,} of {len(starts):,} ratings are there already", why


def _shown(what: str, names: list[str]) -> str:
    shown = ", ".join(names[:5]) + ", ..." * (len(names) > 5)
    return f"{len(names):,} {what} ({shown})"
