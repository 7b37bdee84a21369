"""The index of a data set, and the pieces of one that is being built."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import google_crc32c
import pyarrow as pa

from benchmarks.fuzz.json_mutation import mutated_json
from benchmarks.fuzz.mutation import INTEGERS, mutated
from benchmarks.fuzz.small_data import (
    frame_payload,
    framed,
    read_all,
    read_stored,
    write_classes,
)
from benchmarks.fuzz.target import Case, Outcome, Target, WrongError
from reeltag.core.errors import DataError
from reeltag.core.sealed import open_sealed, sealed_writer
from reeltag.data.dataset import Dataset
from reeltag.data.indexing.build import write_piece
from reeltag.data.indexing.locations import find_shards
from reeltag.data.indexing.probe import Schema, probe_shard

_INDEX, _PIECE = "index", "piece"
_HOSTILE = " with a right checksum"
_MARK = b"reeltag1"


class IndexFiles(Target):
    """A damaged index or piece next to sound shards, which are then read by it.

    What is damaged must be noticed, so that all is read as without it. Where the checksum is made
    right again, nothing can tell a changed label from a true one; places must be in the shards.
    """

    name = "index"
    about = "the index of a data set, its pieces and its header"

    def __init__(self, shared: Path, own: Path) -> None:
        super().__init__(shared, own)
        self._data = own / "data"
        self._data.mkdir()
        for number in range(2):
            payloads = [frame_payload(10 * number + at, 1 + at * 7 % 23) for at in range(5)]
            (self._data / f"train{number}.tfrecord").write_bytes(framed(payloads))
        write_classes(self._data)
        self._path = self._data / ".reeltag" / "index.arrow"
        dataset = self._open()
        self._truth = read_all(dataset), read_stored(dataset), dataset.table.to_pylist()
        self._index = self._path.read_bytes()
        self._pieces = self._path.parent / "building"
        self._piece_path, self._piece = self._write_piece()
        self._table = open_sealed(self._path).read_all()

    def _open(self) -> Dataset:
        return Dataset.open(self._data, quiet=True)

    def _write_piece(self) -> tuple[Path, bytes]:
        root, (first, *_) = find_shards(self._data)
        source = root / first.name
        schema = probe_shard(source)
        assert isinstance(schema, Schema)
        write_piece(source, first, self._pieces, schema, True)
        (path,) = self._pieces.iterdir()
        return path, path.read_bytes()

    def make(self, rng: random.Random) -> Case:
        """Return an index or a piece: damaged, or changed and given a right checksum."""
        variant = _INDEX if rng.random() < 0.7 else _PIECE
        content = self._index if variant == _INDEX else self._piece
        if rng.random() < 0.3:
            return Case(variant, mutated(rng, content))
        if variant == _INDEX and rng.random() < 0.7:
            return Case(variant + _HOSTILE, self._rewritten(rng))
        return Case(variant + _HOSTILE, sealed(mutated(rng, content[:-12])))

    def _rewritten(self, rng: random.Random) -> bytes:
        """Return the index with another header, or another value in a column."""
        table = self._table
        if rng.random() < 0.4:
            stored = table.schema.metadata[b"reeltag"]
            table = table.replace_schema_metadata({b"reeltag": mutated_json(rng, stored)})
        else:
            for _ in range(rng.choice((1, 1, 2))):
                table = _with_value(rng, table)
        path = self.own / "made.arrow"
        with sealed_writer(path, table.schema) as writer:
            writer.write_table(table)
        return path.read_bytes()

    def run(self, case: Case) -> Outcome:
        """Open the data set and read everything by its index."""
        shutil.rmtree(self._pieces, ignore_errors=True)
        if case.variant.startswith(_INDEX):
            _replace(self._path, case.data)
        else:
            self._path.unlink(missing_ok=True)
            self._pieces.mkdir()
            self._piece_path.write_bytes(case.data)
        try:
            dataset = self._open()
            found = read_all(dataset), read_stored(dataset), dataset.table.to_pylist()
        except DataError:
            if case.variant.endswith(_HOSTILE):
                return "refused"
            raise WrongError("a damaged index is an error, and not built again") from None
        if found != self._truth and not case.variant.endswith(_HOSTILE):
            raise WrongError("a damaged index is believed")
        return "accepted"


TARGET = IndexFiles


def sealed(content: bytes) -> bytes:
    """Return an Arrow file with the checksum behind it."""
    crc = google_crc32c.Checksum(content + _MARK)
    digest: bytes = crc.digest()
    return content + _MARK + digest[::-1]


def _replace(path: Path, content: bytes) -> None:
    """Write a file beside its name, for the old one is mapped."""
    part = path.with_name("new")
    part.write_bytes(content)
    part.replace(path)


def _with_value(rng: random.Random, table: Any) -> Any:  # noqa: ANN401  (pa.Table)
    """Return a table with one value, or an entry of a list, changed."""
    name = rng.choice(table.column_names)
    field, values = table.schema.field(name), table[name].to_pylist()
    at = rng.randrange(len(values))
    if isinstance(values[at], list):
        kind, entries = field.type.value_type, [*values[at]]
        if entries and rng.random() < 0.8:
            entries[rng.randrange(len(entries))] = _value(rng, kind)
        else:
            entries.append(_value(rng, kind))
        values[at] = entries
    else:
        values[at] = None if rng.random() < 0.1 else _value(rng, field.type)
    place = table.schema.get_field_index(name)
    return table.set_column(place, field, pa.array(values, field.type))


def _value(rng: random.Random, kind: Any) -> Any:  # noqa: ANN401  (pa.DataType)
    if pa.types.is_integer(kind):
        limit = 1 << (kind.bit_width - 1)
        return max(-limit, min(limit - 1, rng.choice(INTEGERS)))
    if pa.types.is_floating(kind):
        return rng.choice((0.0, -1.0, 1e308, float("nan"), float("inf"), 0.5))
    if pa.types.is_boolean(kind):
        return rng.random() < 0.5
    return rng.choice(("", "x", "truncated", "no id;truncated", "a" * 5000, json.dumps([1])))
