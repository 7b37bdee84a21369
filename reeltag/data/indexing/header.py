"""The description of an index file, as JSON in the metadata of its Arrow schema."""

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from reeltag.data.features import Features
from reeltag.data.indexing.locations import Shard
from reeltag.data.indexing.validation import rows_are_possible
from reeltag.data.streams import TABLE_SCHEMA, Kind, Stream

VERSION = 4  # an index of another version is built again
_KEY = b"reeltag"


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the rows of an index were made of.

    Attributes:
        kind: of the data set.
        streams: of the data set.
        rate_hz: of the description of the streams; None where there is none.
        num_classes: of the vocabulary; without one, the largest label + 1.
        vocabulary: number of classes of the vocabulary, None where there was none.
        verified: whether the checksums of the payloads were checked.
        shards: what was read.
    """

    kind: Kind
    streams: tuple[Stream, ...]
    rate_hz: float | None
    num_classes: int
    vocabulary: int | None
    verified: bool
    shards: tuple[Shard, ...]

    def is_described_by(self, features: Features | None) -> bool:
        """Return whether the streams were read as a description, or without one as published."""
        if features is not None:
            return (self.streams, self.rate_hz) == (features.stored, features.rate_hz)
        return self.rate_hz is None

    def schema(self) -> pa.Schema:
        """Return the schema of the table with this header in its metadata."""
        value = {
            "version": VERSION,
            "kind": self.kind,
            "streams": [[stream.name, stream.width, stream.dtype] for stream in self.streams],
            "rate_hz": self.rate_hz,
            "num_classes": self.num_classes,
            "vocabulary": self.vocabulary,
            "verified": self.verified,
            "shards": self.shards,
        }
        return TABLE_SCHEMA.with_metadata({_KEY: json.dumps(value).encode()})


def read_index_file(path: Path) -> tuple[Header, pa.Table] | None:
    """Return header and memory-mapped table of an index; None if there is none of this version.

    A table whose numbers cannot be true, such as places behind the end of a shard, is none.
    """
    try:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        value = json.loads(table.schema.metadata[_KEY])
        if value.pop("version") != VERSION or not table.schema.equals(TABLE_SCHEMA):
            return None
        value["streams"] = tuple(Stream(*stream) for stream in value["streams"])
        value["shards"] = tuple(Shard(*shard) for shard in value["shards"])
        header = Header(**value)
        if not rows_are_possible(table, header.streams, [shard.size for shard in header.shards]):
            return None
        return header, table
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None  # not there, of another version or damaged: it is built again
