"""The description of an index file, as JSON in the metadata of its Arrow schema."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from reeltag.core.errors import DataError
from reeltag.core.fields import from_json, parse_json
from reeltag.core.sealed import open_sealed
from reeltag.data.features import Features
from reeltag.data.indexing.locations import Shard
from reeltag.data.indexing.validation import rows_are_possible
from reeltag.data.streams import TABLE_SCHEMA, Kind, Stream

VERSION = 6  # an index of another version is built again
_KEY = b"reeltag"
_LARGEST = 1 << 31


@dataclass(frozen=True, kw_only=True)
class _PlainHeader:
    """A header but for its shards, whose numbers may have 64 bits without a sign."""

    kind: Kind
    streams: tuple[Stream, ...]
    rate_hz: float | None
    num_classes: int
    vocabulary: int | None
    verified: bool


@dataclass(frozen=True, kw_only=True)
class Header(_PlainHeader):
    """What the rows of an index were made of.

    Attributes:
        kind: of the data set.
        streams: of the data set.
        rate_hz: of the description of the streams; None where there is none.
        num_classes: of the vocabulary; without one, the largest label + 1.
        vocabulary: number of classes of the vocabulary, None where there was none.
        verified: whether the checksums of the payloads were checked.
        shards: what was read.
        unpacked: bytes of the records of each shard that is compressed, by its name.
    """

    shards: tuple[Shard, ...]
    unpacked: Mapping[str, int] = field(default_factory=dict)

    def sizes(self) -> list[int]:
        """Return the bytes of the records of each shard."""
        return [self.unpacked.get(shard.name, shard.size) for shard in self.shards]

    def packed(self) -> list[Shard]:
        """Return the shards that are compressed."""
        return [shard for shard in self.shards if shard.name in self.unpacked]

    def is_described_by(self, features: Features | None) -> bool:
        """Return whether the streams were read as a description, or without one as published."""
        if features is not None:
            return (self.streams, self.rate_hz) == (features.stored, features.rate_hz)
        return self.rate_hz is None

    def schema(self) -> pa.Schema:
        """Return the schema of the table with this header in its metadata."""
        value: dict[str, object] = {
            "version": VERSION,
            "kind": self.kind,
            "streams": [dataclasses.asdict(stream) for stream in self.streams],
            "rate_hz": self.rate_hz,
            "num_classes": self.num_classes,
            "vocabulary": self.vocabulary,
            "verified": self.verified,
            "shards": self.shards,
        }
        if self.unpacked:
            value["unpacked"] = dict(self.unpacked)
        return TABLE_SCHEMA.with_metadata({_KEY: json.dumps(value).encode()})


def read_index_file(path: Path) -> tuple[Header, pa.Table] | None:
    """Return header and memory-mapped table of an index; None if there is none of this version.

    A table whose numbers cannot be true, such as places behind the end of a shard, is none.
    """
    try:
        table = open_sealed(path).read_all()
        header = _header(parse_json(table.schema.metadata[_KEY]), path)
        if not table.schema.equals(TABLE_SCHEMA) or not rows_are_possible(
            table, header.streams, header.sizes(), header.num_classes
        ):
            return None
        return header, table
    except (OSError, DataError, pa.ArrowException, AttributeError, KeyError, TypeError, ValueError):
        return None  # not there, of another version or damaged: it is built again


def _header(value: dict[str, Any], path: Path) -> Header:
    """Return the header that is stored; ValueError or another error where it cannot be one."""
    if value.pop("version") != VERSION:
        raise ValueError("of another version")
    shards = tuple(Shard(*shard) for shard in value.pop("shards"))
    unpacked = value.pop("unpacked", {})
    plain = from_json(_PlainHeader, value, where=path, field="header")
    header = Header(**vars(plain), shards=shards, unpacked=unpacked)
    for shard in shards:
        if not isinstance(shard.name, str) or any(type(number) is not int for number in shard[1:]):
            raise ValueError("a shard has no name, or a size that is no number")
    limits = [header.num_classes, 0 if header.vocabulary is None else header.vocabulary]
    limits += [stream.width for stream in header.streams]
    rate_hz = 1.0 if header.rate_hz is None else header.rate_hz
    if min(limits) < 0 or max(limits) > _LARGEST or not 0 < rate_hz < math.inf:
        raise ValueError("a number is out of range")
    if any(type(size) is not int for size in unpacked.values()):
        raise ValueError("an unpacked size is no number")
    if min((shard.size for shard in shards), default=0) < 0 or min(header.sizes(), default=0) < 0:
        raise ValueError("a size is below 0")
    return header
