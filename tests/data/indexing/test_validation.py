"""An index file with impossible numbers is built again, never read by."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from reeltag.core.sealed import open_sealed, sealed_writer
from reeltag.data.indexing import build
from reeltag.data.indexing.header import read_index_file
from tests.data.made import frame_record, indexed, rated_record, rows, write_shard


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shard(tmp_path / "train0.tfrecord", [frame_record("a"), frame_record("b", 9)])
    write_shard(tmp_path / "train1.tfrecord", [rated_record("c", 9, [(0, 1, 1.0), (5, 2, 0.0)])])
    indexed(tmp_path)
    return tmp_path


def index_file(folder: Path) -> Path:
    return folder / ".reeltag" / "index.arrow"


def rewritten(path: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Write a table again with another column."""
    table = open_sealed(path).read_all()
    field, place = table.schema.field(name), table.schema.get_field_index(name)
    table = table.set_column(place, field, change(table[name].combine_chunks()))
    written(path, table)


def written(path: Path, table: pa.Table) -> None:
    """Write an index with its checksum."""
    changed = path.with_name("changed")  # the old one is mapped
    with sealed_writer(changed, table.schema) as writer:
        writer.write_table(table)
    changed.replace(path)


def with_value(value: Any, row: int = 1) -> Callable[[Any], Any]:
    """Return what replaces the value of a row, or the first of its list."""

    def change(column: Any) -> Any:
        values = column.to_pylist()
        values[row] = [value, *values[row][1:]] if isinstance(values[row], list) else value
        return pa.array(values, column.type)

    return change


def with_offset(column: Any) -> Any:
    """Return a column of lists of which one offset is far outside."""
    offsets = column.offsets.to_numpy().copy()
    offsets[1] = 2**30
    buffers = [None, pa.py_buffer(offsets.tobytes())]
    return pa.Array.from_buffers(column.type, len(column), buffers, children=[column.values])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("labels", with_offset),
        ("start", with_offset),
        ("segment_scores", with_offset),
        ("start", with_value(-5)),
        ("start", with_value(2**30)),
        ("stride", with_value(2**30)),
        ("stride", with_value(-1)),
        ("stride", with_value(1)),
        ("size", with_value(-1)),
        ("size", with_value(2**30)),
        ("size", with_value(5)),
        ("offset", with_value(-1)),
        ("offset", with_value(2**40)),
        ("offset", with_value(2**63 - 1)),
        ("shard", lambda column: pa.array([0, 1, -(2**31)], column.type)),
        ("shard", with_value(2**31 - 1)),
        ("offset", with_value(3)),
        ("shard", with_value(77, 2)),
        ("shard", with_value(-1, 0)),
        ("shard", with_value(1, 0)),
        ("frames", with_value(2**30)),
        ("frames", with_value(0)),
        ("labels", with_value(-1)),
        ("labels", with_value(2**30)),
        ("segment_labels", lambda column: pa.array([[], [], [1]], column.type)),
        ("id", with_value(None)),
        ("skip", with_value(None)),
        ("skip", with_value(True)),
        ("problem", with_value("no such problem")),
        ("problem", with_value("truncated")),
        ("labels", with_value(3)),  # of three classes
        ("segment_starts", with_value(-1.0, 2)),
        ("segment_ends", with_value(float("nan"), 2)),
        ("segment_scores", with_value(float("inf"), 2)),
    ],
)
def test_index_with_an_impossible_number_is_built_again(
    folder: Path, name: str, change: Callable[[Any], Any]
) -> None:
    before = rows(indexed(folder))
    rewritten(index_file(folder), name, change)
    assert read_index_file(index_file(folder)) is None
    assert rows(indexed(folder)) == before
    assert read_index_file(index_file(folder)) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("streams", [["rgb", 16, "uint8"]]),
        ("streams", [{"name": "rgb", "width": "16", "dtype": "uint8"}]),
        ("streams", [{"name": "rgb", "width": -16, "dtype": "uint8"}]),
        ("shards", [[["train0.tfrecord"], 1, 2, 3, 4]]),
        ("shards", [["train0.tfrecord", 1.5, 2, 3, 4]]),
        ("shards", 5),
        ("kind", "pictures"),
        ("num_classes", 10**400),
        ("num_classes", -1),
        ("vocabulary", []),
        ("rate_hz", 0),
        ("rate_hz", float("nan")),
        ("verified", "yes"),
        ("version", 4),
    ],
)
def test_index_with_an_impossible_header_is_built_again(
    folder: Path, name: str, value: Any
) -> None:
    before, path = rows(indexed(folder)), index_file(folder)
    table = open_sealed(path).read_all()
    stored = json.loads(table.schema.metadata[b"reeltag"]) | {name: value}
    written(path, table.replace_schema_metadata({b"reeltag": json.dumps(stored)}))
    assert read_index_file(path) is None
    assert rows(indexed(folder)) == before


def test_index_with_a_flipped_bit_is_built_again(folder: Path) -> None:
    path, before = index_file(folder), rows(indexed(folder))
    content = bytearray(path.read_bytes())
    content[content.index(before[0]["id"].encode(), 1000)] ^= 1  # "a" is then another id
    path.write_bytes(content)
    assert read_index_file(path) is None
    assert rows(indexed(folder)) == before


def test_piece_with_an_impossible_number_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(indexed(folder))
    index_file(folder).unlink()
    write = build.write_piece

    def damaging(root: Path, shard: Any, pieces: Path, *arguments: Any) -> None:
        write(root, shard, pieces, *arguments)
        for path in pieces.iterdir():
            rewritten(path, "size", with_value(2**30, 0))

    monkeypatch.setattr(build, "write_piece", damaging)
    assert rows(indexed(folder)) == before


def test_broken_records_are_possible_rows(folder: Path) -> None:
    path = folder / "train0.tfrecord"
    path.write_bytes(path.read_bytes()[:-7])
    (folder / "train2.tfrecord").touch()
    (folder / "train3.tfrecord").write_bytes(np.arange(40, dtype=np.uint8).tobytes())
    indexed(folder)
    assert read_index_file(index_file(folder)) is not None
