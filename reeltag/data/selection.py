"""Which records of an index are selected, and where their bytes are.

Shape letters: V records (videos), S streams.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.index import Stream
from reeltag.data.records.problems import BY_TEXT
from reeltag.data.splits import Split

if TYPE_CHECKING:
    from reeltag.data.dataset import Dataset

Rows: TypeAlias = NDArray[np.bool_] | NDArray[np.int64]
_KEPT = ["shard", "offset", "size", "id", "frames"]
_KEPT += ["labels", "segment_starts", "segment_ends", "segment_labels", "segment_scores"]


class Which(TypedDict, total=False):
    """The options of `select`, each described there."""

    streams: tuple[str, ...] | None
    rows: Rows | None


@dataclass(frozen=True, eq=False)
class Records:
    """The usable records of a split, V of them, in the order of the index. See `select`.

    Attributes:
        dataset: that they are rows of.
        split: as given.
        streams: S streams to read, in the order in which they are concatenated in a batch.
        table: V rows: shard, offset, size, id, frames, labels and segments, as in the index.
        start: (V, S) int32, first byte of a stream, relative to the payload.
        stride: (V, S) int32, bytes from frame to frame; 0: the record has to be walked.
        skipped: kind of problem -> records of the split that are left out for it.
    """

    dataset: "Dataset"
    split: Split
    streams: tuple[Stream, ...]
    table: pa.Table
    start: NDArray[np.int32]
    stride: NDArray[np.int32]
    skipped: dict[str, int]

    def __len__(self) -> int:
        """Return V."""
        return len(self.table)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of numbers: (V,)."""
        return column_of(self.table, name)

    def lists(self, name: str) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return a column of lists: (V + 1,) where each begins (the last ends), and the values."""
        return lists_of(self.table, name)


def select(
    dataset: "Dataset",
    split: Split,
    *,
    streams: tuple[str, ...] | None = None,
    rows: Rows | None = None,
) -> Records:
    """Return the records of a split that can be used; what is broken is left out and counted.

    Args:
        dataset: to select from.
        split: which split.
        streams: names of the streams to read, in this order; None takes all of the index.
        rows: of the index's table, a mask or numbers: only these take part; None takes all.

    Raises:
        ConfigError: the split is empty or holds no usable record, or a stream is not in the data.
    """
    index = dataset.index
    numbers = _stream_numbers(dataset, streams)
    shards = dataset.shards_of(split)
    wanted = np.isin(column_of(index.table, "shard"), shards)
    chosen = np.full(len(wanted), rows is None)
    chosen[slice(0) if rows is None else rows] = True
    skip = column_of(index.table, "skip")
    skipped = _count_problems(index.table["problem"].filter(pa.array(wanted & chosen & skip)))
    usable = pa.array(wanted & chosen & ~skip)
    table = index.table.select([*_KEPT, "start", "stride"]).filter(usable).combine_chunks()
    if not len(table):
        causes = ", ".join(f"{count} {kind}" for kind, count in skipped.items()) or "none broken"
        raise ConfigError(
            f"the split {split!r} holds no usable record: {wanted.sum()} records in {len(shards)} "
            f"shards ({index.shards[shards[0]]}, ...), {(wanted & chosen).sum()} of them "
            f"selected ({causes})",
            where=dataset.location,
            hint="`reeltag info` on that folder lists what is there and what is broken.",
        )
    start, stride = (
        lists_of(table, name)[1].reshape(len(table), -1)[:, numbers] for name in ("start", "stride")
    )
    kept_streams = tuple(index.streams[number] for number in numbers)
    return Records(dataset, split, kept_streams, table.select(_KEPT), start, stride, skipped)


def _stream_numbers(dataset: "Dataset", names: tuple[str, ...] | None) -> list[int]:
    """Return the places in the index of the streams to read."""
    there = [stream.name for stream in dataset.streams]
    if names is None:
        return list(range(len(there)))
    if not names or len(set(names)) < len(names) or not set(names) <= set(there):
        known = ", ".join(f"{stream.name} ({stream.width})" for stream in dataset.streams)
        raise ConfigError(
            f"{', '.join(names) or 'nothing'} cannot be read from {dataset.path}: choose some of "
            f"its streams, each once: {known}",
            where="streams",
        )
    return [there.index(name) for name in names]


def _count_problems(problems: pa.ChunkedArray) -> dict[str, int]:
    """Return how many skipped records have each problem for which a record is skipped."""
    counts = dict[str, int]()
    for entry in problems.value_counts().to_pylist():
        for kind in (entry["values"] or "unknown").split(";"):
            if kind not in BY_TEXT or BY_TEXT[kind].skips:
                counts[kind] = counts.get(kind, 0) + entry["counts"]
    return counts


def column_of(table: pa.Table, name: str) -> NDArray[Any]:
    """Return a column of numbers or truths."""
    column: NDArray[Any] = table[name].to_numpy()
    return column


def lists_of(table: pa.Table, name: str) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return where the list of each row begins (and the last ends), and all values in a row."""
    column = table[name].combine_chunks()
    lengths = pc.list_value_length(column).to_numpy()
    return np.append(0, np.cumsum(lengths, dtype=np.int64)), column.flatten().to_numpy()
