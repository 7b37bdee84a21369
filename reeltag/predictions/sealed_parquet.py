"""Parquet files with checksums of all of their bytes, so that none is read that was damaged.

    pages | "reeltag1" | CRC32C of the pages | CRC32C of the footer | footer

What reads Parquet believes headers and footer: of damaged ones it gives other rows, or ends the
process. Other tools find the footer by the end of the file, and do not see the checksums. The
metadata say that there are some, so that a file that has lost them is noticed.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq

from reeltag.core.arrow_files import arrow_sink, arrow_source

SEALED_KEY = "reeltag sealed"  # in the metadata
_SEALED = {SEALED_KEY.encode(): b"1"}
_END = struct.Struct("<I4s")  # length of the footer, and what Parquet files end with
_SEAL = struct.Struct("<8sII")
_MARK = b"reeltag1"
_AT_ONCE = 4 << 20  # bytes


@contextmanager
def sealed_parquet_writer(
    path: Path, schema: pa.Schema, dictionary: str
) -> Iterator[pq.ParquetWriter]:
    """Yield a writer of a file, which gets its checksums if the block succeeds.

    Args:
        path: of the file; to be given its name later by the caller.
        schema: of its rows, with metadata.
        dictionary: column whose values repeat.
    """
    schema = schema.with_metadata({**schema.metadata, **_SEALED})
    how = {"compression": "zstd", "use_dictionary": [dictionary]}
    with arrow_sink(path) as sink, pq.ParquetWriter(sink, schema, **how) as file:
        yield file
    _seal(path)


def open_checked(path: Path, **options: Any) -> pq.ParquetFile:  # noqa: ANN401  (of pyarrow)
    """Return an open Parquet file whose pages match their checksum, if it has one.

    Args:
        path: of the file.
        **options: of `ParquetFile`.

    Raises:
        ArrowException: it is none, or damaged.
        OSError: it cannot be read.
    """
    status = path.stat()
    if not _has_sound_pages(path, status.st_size, status.st_mtime_ns, status.st_ino):
        raise pa.ArrowInvalid("damaged: its pages do not match their checksum")
    return pq.ParquetFile(arrow_source(path), **options)


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
        stored = _stored(file, start)
    if stored is not None and stored[1] != google_crc32c.value(footer):
        raise ValueError("damaged: its footer does not match its checksum")
    return stored is not None


def was_sealed(schema: pa.Schema) -> bool:
    """Return whether a file of this schema had checksums when it was written."""
    return _SEALED.items() <= (schema.metadata or {}).items()


def _seal(path: Path) -> None:
    """Write the checksums of a closed file before its footer."""
    with path.open("rb+") as file:
        start, footer = _footer(file)
        pages = _crc(file, start)
        file.seek(start)
        file.write(_SEAL.pack(_MARK, pages, google_crc32c.value(footer)) + footer)


@lru_cache(64)
def _has_sound_pages(path: Path, _size: int, _changed_ns: int, _inode: int) -> bool:
    """Return whether the pages of a file match their checksum, or have none."""
    with path.open("rb") as file:
        start, _ = _footer(file)
        stored = _stored(file, start)
        return stored is None or stored[0] == _crc(file, start - _SEAL.size)


def _stored(file: BinaryIO, start: int) -> tuple[int, int] | None:
    """Return the checksums of pages and footer, None = it has none."""
    if start < _SEAL.size:
        return None
    file.seek(start - _SEAL.size)
    mark, pages, footer = _SEAL.unpack(file.read(_SEAL.size))
    return (pages, footer) if mark == _MARK else None


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
