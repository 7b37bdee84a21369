"""The metadata of Parquet files of rows: JSON under the key `reeltag`."""

import dataclasses
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq

from reeltag.core.arrow_files import arrow_sink, arrow_source
from reeltag.core.errors import DataError, reason_of
from reeltag.core.fields import from_json, parse_json
from reeltag.core.text import json_text
from reeltag.predictions.rows import StoredRows

_SEALED = {b"reeltag sealed": b"1"}  # in the metadata of what has a checksum of its footer
_END = struct.Struct("<I4s")  # length of the footer, and what Parquet files end with
_SEAL = struct.Struct("<8sII")  # before the footer, where Parquet lets be what it likes
_MARK = b"reeltag1"
_AT_ONCE = 4 << 20  # bytes


def seal(path: Path) -> None:
    """Write the checksums of the pages and the footer of a Parquet file before its footer.

    What reads Parquet believes headers and footer: of damaged ones it gives other rows, or ends the
    process. Other tools find the footer by the end of the file, and do not see this.

    Args:
        path: of the file, closed.
    """
    with path.open("rb+") as file:
        start, footer = _footer(file)
        pages = _crc(file, start)
        file.seek(start)
        file.write(_SEAL.pack(_MARK, pages, google_crc32c.value(footer)) + footer)


def is_sealed(path: Path) -> bool:
    """Return whether a file has checksums, that of its footer the right one.

    Args:
        path: of the file.

    Raises:
        ValueError: it does not match it, or there is no footer.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start, footer = _footer(file)
        file.seek(max(0, start - _SEAL.size))
        before = file.read(_SEAL.size)
    mark, _, crc = _SEAL.unpack(before) if len(before) == _SEAL.size else (b"", 0, 0)
    if mark == _MARK and crc != google_crc32c.value(footer):
        raise ValueError("damaged: its footer does not match its checksum")
    return bool(mark == _MARK)


@lru_cache(64)
def _has_sound_pages(path: Path, size: int, changed_ns: int, inode: int) -> bool:
    """Return whether the pages of a file match their checksum, or have none."""
    with path.open("rb") as file:
        start, _ = _footer(file)
        file.seek(max(0, start - _SEAL.size))
        before = file.read(_SEAL.size)
        mark, pages, _ = _SEAL.unpack(before) if len(before) == _SEAL.size else (b"", 0, 0)
        return bool(mark != _MARK or pages == _crc(file, start - _SEAL.size))


def _crc(file: BinaryIO, stop: int) -> int:
    """Return the CRC32C of a file up to a byte."""
    crc = google_crc32c.Checksum()
    file.seek(0)
    while stop and (block := file.read(min(_AT_ONCE, stop))):
        crc.update(block)
        stop -= len(block)
    return int.from_bytes(crc.digest(), "big")


def _footer(file: BinaryIO) -> tuple[int, bytes]:
    """Return where the footer of a Parquet file begins, and its bytes to the end of the file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END.size))
    end = file.read()
    length, mark = _END.unpack(end) if len(end) == _END.size else (0, b"")
    start = size - _END.size - length
    if mark != b"PAR1" or start < len(mark):
        raise ValueError("no Parquet file, or cut short")
    file.seek(start)
    return start, file.read()


def open_checked(path: Path, **options: Any) -> pq.ParquetFile:  # noqa: ANN401  (of pyarrow)
    """Return an open Parquet file whose pages match their checksum, if it has one.

    Args:
        path: of the file.
        options: of `ParquetFile`.

    Raises:
        ArrowException: it is none, or damaged.
        OSError: it cannot be read.
    """
    status = path.stat()
    state = status.st_size, status.st_mtime_ns, status.st_ino
    if not _has_sound_pages(path, *state):
        raise pa.ArrowInvalid("damaged: its pages do not match their checksum")
    return pq.ParquetFile(arrow_source(path), **options)


@dataclass(frozen=True, kw_only=True)
class RowsInfo:
    """Where the rows of a file come from; a subclass is a dataclass of the fields that it stores.

    Attributes:
        ROWS: the rows that it holds.
        MARK: key and value in the metadata of this kind of file.
        WHAT: name of this kind of file in errors: "a prediction file".
        HINT: how one is written.
    """

    ROWS: ClassVar[type[StoredRows]]
    MARK: ClassVar[tuple[str, str]]
    WHAT: ClassVar[str]
    HINT: ClassVar[str]

    def schema(self) -> pa.Schema:
        """Return the schema of the file, with the metadata."""
        stored = dict([self.MARK]) | dataclasses.asdict(self)
        metadata = {b"reeltag": json_text(stored).encode()}
        return self.ROWS.SCHEMA.with_metadata(metadata)

    @contextmanager
    def sealed_writer(self, path: Path, dictionary: str) -> Iterator[pq.ParquetWriter]:
        """Yield a writer of a file, which gets its checksums if the block succeeds.

        Args:
            path: of the file.
            dictionary: column whose values repeat.
        """
        schema = self.schema()
        schema = schema.with_metadata({**schema.metadata, **_SEALED})
        how = {"compression": "zstd", "use_dictionary": [dictionary]}
        with arrow_sink(path) as sink, pq.ParquetWriter(sink, schema, **how) as file:
            yield file
        seal(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the info of a file; unknown keys are of later versions and ignored.

        DataError where there is no such file, it is not Parquet, or another kind of file.
        """
        if not path.is_file():
            what = f"is a folder, not {cls.WHAT}" if path.is_dir() else "is not there"
            raise DataError(what, where=path, hint=cls.HINT)
        try:
            sealed = is_sealed(path)
            schema = pq.read_schema(arrow_source(path))
        except (OSError, ValueError, pa.ArrowException) as error:
            what = f"cannot be read as Parquet ({reason_of(error)})"
            raise DataError(what, where=path, hint=cls.HINT) from error
        if missing := [name for name in cls.ROWS.SCHEMA.names if name not in schema.names]:
            what = f"lacks the columns {', '.join(missing)} of {cls.WHAT}"
            raise DataError(what, where=path, hint=cls.HINT)
        if len({*schema.names}) < len(schema.names):
            raise DataError("has a column twice", where=path, hint=cls.HINT)
        metadata = schema.metadata or {}
        if not sealed and _SEALED.items() <= metadata.items():
            what = "is damaged, or was written again by another program: it has lost its checksum"
            raise DataError(what, where=path, hint=cls.HINT)
        return cls._parse(metadata.get(b"reeltag"), path)

    @classmethod
    def marks(cls, path: Path) -> bool:
        """Return whether a file is of this kind, broken or not."""
        key, mark = cls.MARK
        try:
            return bool(
                parse_json(pq.read_schema(arrow_source(path)).metadata[b"reeltag"])[key] == mark
            )
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            return False

    @classmethod
    def _parse(cls, stored: bytes | None, path: Path) -> Self:
        key, mark = cls.MARK
        try:
            values: dict[str, Any] = parse_json(stored or b"null")
            if values[key] != mark:
                raise ValueError(f"{key} must be {mark!r}, got {values[key]!r}")
        except (KeyError, TypeError, ValueError) as error:
            what = f"is not {cls.WHAT}: the metadata key 'reeltag' is missing or broken"
            raise DataError(f"{what} ({reason_of(error)})", where=path, hint=cls.HINT) from error
        known = {field.name for field in dataclasses.fields(cls)}
        values = {name: value for name, value in values.items() if name in known}
        found: Self = from_json(cls, values, where=path, field="reeltag")
        return found
