"""From the rows of single shards to the rows of an index: what only the whole data set shows."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.data.indexing.scan import ROW_SCHEMA
from reeltag.data.records.problems import SKIPPING, Problem, from_text, to_bits, to_text
from reeltag.data.streams import TABLE_SCHEMA

_ABOUT_ALL = to_bits({Problem.DUPLICATE_ID, Problem.ID_IN_TWO_SPLITS, Problem.EMPTY_ID})
_EMPTY = 1  # instead of the hash of an empty id
_SEGMENT_COLUMNS = ("segment_starts", "segment_ends", "segment_labels", "segment_scores")


def raw_rows(table: pa.Table) -> pa.Table:
    """Return rows of `ROW_SCHEMA` from an index's: without what was found by comparing shards."""
    problems = table["problem"].dictionary_encode().combine_chunks()
    values = [from_text(text) & ~_ABOUT_ALL for text in problems.dictionary.to_pylist()]
    codes = problems.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    bits = np.array([*values, 0], np.int64)[codes]
    return table.select(ROW_SCHEMA.names[:-1]).append_column(ROW_SCHEMA.field("bits"), [bits])


def largest_label(table: pa.Table) -> int:
    """Return the largest label, those of rated segments included; -1 where there is none."""
    lengths, rated = _flat(table, "segment_labels")
    rated = rated[~np.repeat(_is_text(table), lengths)]
    return max(int(values.max(initial=-1)) for values in (_flat(table, "labels")[1], rated))


def hashed_ids(table: pa.Table) -> NDArray[np.int64]:
    """Return a 64-bit hash of each row's id, 0 for a row that is skipped anyway.

    Two of six million different ids have the same hash with a probability of one in a million.
    """
    hashes = np.fromiter(map(hash, table["id"].to_pylist()), np.int64, len(table))
    hashes[hashes == 0] = _EMPTY  # Python's own of an empty text
    hashes[(table["bits"].to_numpy() & SKIPPING) != 0] = 0
    return hashes


def repeated_ids(names: Sequence[str], hashes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return for each row, over all shards, whether its id was there before, as bits of problems.

    Args:
        names: of the shards. Those with the same text before their numbers ("train", ...) are
            a set, in which an id may be once.
        hashes: ids of each shard, see `hashed_ids`.
    """
    flat = np.concatenate([*hashes, np.empty(0, np.int64)])
    sets = np.repeat([shard_set(name) for name in names], [len(part) for part in hashes])
    bits = np.zeros(len(flat), np.int64)
    is_empty = flat == _EMPTY
    if is_empty.sum() > 1:
        bits[is_empty] = Problem.EMPTY_ID.bit
        flat[is_empty] = 0
    rows = np.argsort(flat, kind="stable")
    rows = rows[flat[rows] != 0]
    again = np.flatnonzero(flat[rows[1:]] == flat[rows[:-1]]) + 1
    run: set[str] = set()
    previous = -1
    for place in again.tolist():
        if place != previous + 1:  # a new run of equal ids: its first row is before `place`
            run = {sets[rows[place - 1]]}
        of = sets[rows[place]]
        problem = Problem.DUPLICATE_ID if of in run else Problem.ID_IN_TWO_SPLITS
        bits[rows[place]] = problem.bit
        run.add(of)
        previous = place
    return bits


def shard_set(name: str) -> str:
    """Return folder and first word of a shard's name: 3/train0042.tfrecord -> 3/train.

    The word is a published one (YouTube-8M also numbers by letters: trainpj), or else the text
    before a number. Shards that have neither are of one set with the others of their folder.
    """
    path = PurePosixPath(name)
    word = re.match(r"((?:un)?bal_train|train|validate|test|eval)|(.*?)[-_.]*\d", path.name)
    return f"{path.parent}/{word[1] or word[2] if word else ''}"


def finished_rows(
    table: pa.Table, shard: int, num_classes: int, repeats: NDArray[np.int64]
) -> pa.Table:
    """Return the index's rows of one shard.

    Args:
        table: rows of `ROW_SCHEMA`.
        shard: its number.
        num_classes: labels from here on are dropped.
        repeats: bits from `repeated_ids`.
    """
    bits = table["bits"].to_numpy() | repeats
    for names in (("labels",), _SEGMENT_COLUMNS):
        table, outside = _without_outside(table, names, num_classes)
        bits = bits | np.where(outside, Problem.LABEL_OUTSIDE.bit, 0)
    kinds, codes = np.unique(bits, return_inverse=True)
    texts = pa.array([to_text(kind) for kind in kinds.tolist()], pa.string())
    columns = {name: table[name] for name in table.column_names if name != "bits"}
    columns["shard"] = pa.array(np.full(len(table), shard, np.int32))
    columns["problem"] = texts.take(pa.array(codes))
    columns["skip"] = pa.array((bits & SKIPPING) != 0)
    return pa.table({name: columns[name] for name in TABLE_SCHEMA.names}, schema=TABLE_SCHEMA)


def _is_text(table: pa.Table) -> NDArray[np.bool_]:
    """Return (R,) whether the classes of a record's ratings are text."""
    return _lengths(table, "segment_names") > 0


def _flat(table: pa.Table, name: str) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the length of each list of a column, and all values behind each other."""
    values = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return _lengths(table, name), values


def _lengths(table: pa.Table, name: str) -> NDArray[np.int64]:
    """Return the length of each list of a column."""
    lengths: NDArray[np.int64] = np.diff(table[name].combine_chunks().offsets.to_numpy())
    return lengths.astype(np.int64)


def _without_outside(
    table: pa.Table, names: Sequence[str], num_classes: int
) -> tuple[pa.Table, NDArray[np.bool_]]:
    """Drop entries whose label is outside from parallel lists; also return which rows had one."""
    lengths, labels = _flat(table, next(name for name in names if name.endswith("labels")))
    keep = labels < num_classes
    if len(names) > 1:
        keep |= np.repeat(_is_text(table), lengths)  # no numbers yet
    if keep.all():
        return table, np.zeros(len(table), np.bool_)
    rows = np.repeat(np.arange(len(table)), lengths)
    ends = np.cumsum(np.bincount(rows[keep], minlength=len(table)))
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    for name in names:
        lists = pa.ListArray.from_arrays(offsets, pa.array(_flat(table, name)[1][keep]))
        table = table.set_column(table.schema.get_field_index(name), ROW_SCHEMA.field(name), lists)
    return table, np.bincount(rows[~keep], minlength=len(table)) > 0
