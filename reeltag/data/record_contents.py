"""What records hold that is not used, and labels that look like something else."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset, files_of_source
from reeltag.data.indexing.scan import ID_KEYS
from reeltag.data.records.example import Spans, decode_feature, joined, split_message
from reeltag.data.records.kinds import kind_of_frames
from reeltag.data.records.ratings import RATING_KEYS
from reeltag.data.shards import open_shard
from reeltag.data.streams import MISSING

_IMPORT = "`reeltag import` reads such"


@dataclass
class RecordContents:
    """Findings about records, each with its reason.

    Attributes:
        unused: feature lists and context keys that nothing reads.
        suspicious: labels that look wrong.
    """

    unused: list[tuple[str, str]] = field(default_factory=list)
    suspicious: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _Counts:
    """What was seen in how many of the records that were looked into."""

    records: int = 0
    lists: Counter[str] = field(default_factory=Counter)
    context: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, str] = field(default_factory=dict)
    repeated: int = 0
    labelled: int = 0
    lengths: set[int] = field(default_factory=set)
    only_0_1: bool = True


def describe_records(data: Dataset, num_records: int) -> RecordContents:
    """Return what a sample of the records holds that is not used or looks wrong.

    Args:
        data: the data set.
        num_records: at most so many are looked into, spread over all.

    Raises:
        DataError: a shard cannot be read.
    """
    size, shard = data.table["size"].to_numpy(), data.table["shard"].to_numpy()
    offset = data.table["offset"].to_numpy()
    whole = np.flatnonzero((size > 0) & data.rows_to_look_into())
    chosen = whole[np.unique(np.linspace(0, len(whole) - 1, num_records).astype(np.int64))]
    chosen = chosen if len(whole) > num_records else whole
    counts = _Counts()
    for number, rows in groupby(chosen.tolist(), shard.__getitem__):
        opened = open_shard(data.index, int(number))
        for row in rows:
            payload = opened[offset[row] : offset[row] + size[row]]
            with suppress(DataError):  # undecodable: a problem of its own
                _count(payload, counts)
    of = f"{counts.records:,} records" + (" looked into" if len(chosen) < (size > 0).sum() else "")
    found = RecordContents()
    found.unused += _unused_lists(data, counts, of)
    found.unused += _unused_keys(data, counts, of)
    if (
        counts.labelled > 1
        and counts.only_0_1
        and len(counts.lengths) == 1
        and max(counts.lengths) > 2
    ):
        length = max(counts.lengths)
        why = f"each record has {length:,} of them, all 0 or 1: one-hot? They are read as classes"
        found.suspicious.append(("labels", f"{why}; store the numbers of the classes"))
    elif counts.repeated:
        why = (
            f"repeated within {counts.repeated:,} of {counts.labelled:,} records; each counts once"
        )
        found.suspicious.append(("labels", why))
    return found


def _count(payload: NDArray[np.uint8], counts: _Counts) -> None:
    context, lists = split_message(payload.data)
    counts.records += 1
    for name, spans in lists.items():
        counts.lists[name] += 1
        if name not in counts.kinds:
            counts.kinds[name] = kind_of_frames(joined(payload.data, spans))
    counts.context.update(context.keys())
    if "labels" in context:
        _count_labels(payload, context["labels"], counts)


def _count_labels(payload: NDArray[np.uint8], spans: Spans, counts: _Counts) -> None:
    values = decode_feature(joined(payload.data, spans))
    if values is None or not len(values):
        return
    several = values if isinstance(values, list) else values.tolist()
    counts.labelled += 1
    counts.lengths.add(len(several))
    counts.repeated += len(set(several)) < len(several)
    counts.only_0_1 = counts.only_0_1 and set(several) <= {0, 1}


def _unused_lists(data: Dataset, counts: _Counts, of: str) -> Sequence[tuple[str, str]]:
    used = {stream.name for stream in data.streams}
    found = []
    for name in sorted(counts.lists.keys() - used):
        kind = counts.kinds[name]
        why = f"{kind}, in {counts.lists[name]:,} of {of}"
        if kind.endswith(" bytes"):
            why += "; a stream is in each record"
        else:
            why += f", where byte strings of one width are read; {_IMPORT}"
        found.append((f"feature list {name}", why))
    return found


def _unused_keys(data: Dataset, counts: _Counts, of: str) -> Sequence[tuple[str, str]]:
    used = {stream.name for stream in data.streams} if data.kind == "video" else set[str]()
    used |= set(ID_KEYS) | {"labels", *RATING_KEYS}
    reasons = dict.fromkeys(counts.context.keys() - used, "no id, label or rating")
    for key in reasons:
        if key.startswith(MISSING):
            what = "frames without this stream, which a model sees as 0, or as silence"
            reasons[key] = what
    if set(ID_KEYS) <= counts.context.keys():
        reasons[ID_KEYS[1]] = f"{ID_KEYS[0]} is the id"
    for kind, keys in (("labels", ("labels",)), ("ratings", RATING_KEYS)):
        for key in set(keys) & counts.context.keys():
            if kind in data.sources:
                files = " and ".join(map(str, files_of_source(data.sources[kind])))
                reasons[key] = f"replaced by {files}"
            elif kind == "ratings" and data.kind == "video":
                reasons[key] = "video-level records have no segments"
    return [
        (f"context key {key}", f"{reasons[key]}; in {counts.context[key]:,} of {of}")
        for key in sorted(reasons)
    ]
