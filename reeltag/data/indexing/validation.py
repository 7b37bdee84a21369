"""Whether the rows of an index file can be true, before anything is read by them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.data.records.problems import SKIPPING, Problem, from_text, to_bits
from reeltag.data.records.tfrecord import HEADER_SIZE
from reeltag.data.streams import MAX_CLASSES, Stream

_PARALLEL = ("segment_starts", "segment_ends", "segment_labels", "segment_scores")


def rows_are_possible(
    table: pa.Table,
    streams: Sequence[Stream],
    sizes: Sequence[int],
    num_classes: int = MAX_CLASSES,
) -> bool:
    """Return whether no row is of a place that is not in its shard, or has lists that do not fit.

    Args:
        table: of an index, or of one shard (without the column `shard`, and with `bits`).
        streams: of the data set.
        sizes: bytes of each shard.
        num_classes: all labels are below it.

    Raises:
        ArrowInvalid: lists or texts are not where they are said to be.
    """
    table.validate(full=True)
    nulls = {name for name in table.column_names if table[name].null_count}
    if nulls - {"problem"}:
        return False
    if not len(table):
        return True
    lists = [table[name] for name in _PARALLEL]
    lengths = [pc.list_value_length(column).to_numpy() for column in lists]
    if any((length != lengths[0]).any() for length in lengths[1:]):
        return False
    texts = pc.list_value_length(table["segment_names"]).to_numpy()
    if ((texts != 0) & (texts != lengths[0])).any():
        return False
    for name in ("labels", "segment_labels"):
        values = pc.min_max(table[name].combine_chunks().flatten()).as_py()
        if values["min"] is not None and not 0 <= values["min"] <= values["max"] < num_classes:
            return False
    if not (_ratings_are_possible(table) and _problems_are_possible(table)):
        return False
    shard = np.zeros(len(table), np.int64)
    if "shard" in table.column_names:
        shard = table["shard"].to_numpy().astype(np.int64)  # differences of int32 may wrap around
        if shard[0] < 0 or shard[-1] >= len(sizes) or (np.diff(shard) < 0).any():
            return False
    return _places_are_possible(table, streams, np.asarray(sizes)[shard])


def _ratings_are_possible(table: pa.Table) -> bool:
    """Return whether every rated window begins at 0 s or later and ends after that."""
    start, end, score = (
        table[f"segment_{name}"].combine_chunks().flatten().to_numpy()
        for name in ("starts", "ends", "scores")
    )
    return bool(((start >= 0) & (end > start) & (end < np.inf) & np.isfinite(score)).all())


def _problems_are_possible(table: pa.Table) -> bool:
    """Return whether every problem is a known one, and `skip` says what is done about it."""
    if "skip" not in table.column_names:
        bits = table["bits"].to_numpy()
        return bool(((bits >= 0) & (bits <= to_bits(Problem))).all())
    pairs = table.select(["problem", "skip"]).group_by(["problem", "skip"]).aggregate([])
    try:
        return all(
            bool(from_text(pair["problem"]) & SKIPPING) == pair["skip"]
            for pair in pairs.to_pylist()
        )
    except KeyError:
        return False


def _places_are_possible(
    table: pa.Table,
    streams: Sequence[Stream],
    shard_size: NDArray[np.int64],
) -> bool:
    """Return whether every payload is in its shard, and every frame in its payload."""
    offset, size, frames = (
        table[name].to_numpy().astype(np.int64) for name in ("offset", "size", "frames")
    )
    if "skip" in table.column_names:
        used = ~table["skip"].to_numpy()
    else:
        used = table["bits"].to_numpy() & SKIPPING == 0
    if (offset < 0).any() or (size < 0).any() or (frames < 0).any():
        return False
    if (offset > shard_size - size).any() or (offset[used] < HEADER_SIZE).any():  # no sum wraps
        return False
    if (frames[used] < 1).any():
        return False
    for name in ("start", "stride"):
        if (pc.list_value_length(table[name]).to_numpy() != len(streams)).any():
            return False
    start, stride = (
        table[name].combine_chunks().flatten().to_numpy().reshape(len(table), -1)[used]
        for name in ("start", "stride")
    )
    num_bytes = np.array([stream.num_bytes for stream in streams], np.int64)
    ends = start.astype(np.int64) + (frames[used, None] - 1) * stride + num_bytes
    located = stride != 0
    fits = (start >= 0) & (stride >= num_bytes) & (ends <= size[used, None])
    return bool((fits | ~located).all())
