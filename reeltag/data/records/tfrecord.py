"""TFRecord files: framing with masked CRC32C, read from a buffer and written whole or not at all.

    one record = length | masked crc32c(length) | payload | masked crc32c(payload)

The length has 8 bytes, a checksum 4, all little-endian.

Source: tensorflow/core/lib/io/record_writer.h.
"""

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from reeltag.core.files import whole_file
from reeltag.data.records.file_bytes import ByteRanges
from reeltag.data.records.problems import Problem

HEADER_SIZE, FOOTER_SIZE = 12, 4  # bytes around a payload
_MASK_DELTA = 0xA282EAD8
_HEADER, _LENGTH, _CHECKSUM = struct.Struct("<QI"), struct.Struct("<Q"), struct.Struct("<I")


class Framed(NamedTuple):
    """Where one record is, or why none can be read there.

    Attributes:
        offset: position of the payload; where there is none, of the bytes that are no record.
        size: bytes of the payload; 0 where there is none.
        problem: what is wrong with the framing, or None.
    """

    offset: int
    size: int
    problem: Problem | None = None


def masked_crc(data: bytes | NDArray[np.uint8]) -> int:
    """Return TFRecord's masked CRC32C of `data`, which must be read-only: 32 bits."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


@lru_cache(1 << 16)
def record_header(size: int) -> bytes:
    """Return the 12 bytes before a payload of `size` bytes: its length and the checksum of it."""
    length = _LENGTH.pack(size)
    return length + _CHECKSUM.pack(masked_crc(length))


def is_record_header(begin: bytes) -> bool:
    """Return whether the first 12 bytes of a file are the length of a record and its checksum."""
    return len(begin) == HEADER_SIZE and _size_at(np.frombuffer(begin, np.uint8), 0) is not None


def record_headers(sizes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return (N, 12) the bytes before payloads of these sizes (N,)."""
    joined = b"".join(map(record_header, sizes.tolist()))
    return np.frombuffer(joined, np.uint8).reshape(-1, HEADER_SIZE)


class TFRecordWriter:
    """Write payloads as one TFRecord file, which appears whole or not at all.

    Args:
        path: of the file.

    Raises:
        OutputError: the file cannot be written; nothing is left.

    Example:
        >>> with TFRecordWriter(tmp / "train00.tfrecord") as writer:  # doctest: +SKIP
        ...     writer.write(encode_example({"id": [b"a"]}))
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._stack = ExitStack()
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Open a file next to the wanted one."""
        with ExitStack() as stack:
            part = stack.enter_context(whole_file(self._path))
            self._file = stack.enter_context(part.open("wb"))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the file its name, or remove it after an error."""
        self._file = None
        self._stack.__exit__(kind, error, traceback)

    def write(self, payload: bytes) -> None:
        """Append one record."""
        if self._file is None:
            raise ValueError("a TFRecordWriter writes only inside its with block")
        self._file.write(record_header(len(payload)))
        self._file.write(payload)
        self._file.write(_CHECKSUM.pack(masked_crc(payload)))


def frame_records(
    buffer: bytes | memoryview | NDArray[np.uint8] | ByteRanges, *, verify: bool = True
) -> Iterator[Framed]:
    """Yield the records of a TFRecord file held in `buffer`, in their order.

    A record whose payload does not match its checksum is yielded with the problem, and reading
    goes on behind it. After a wrong length checksum or a truncated record nothing more can be
    found: that is the last one yielded.

    Args:
        buffer: the whole file.
        verify: check the payloads' checksums too; those of the lengths are always checked.

    Raises:
        DataError: the file that is read cannot be, or was cut short meanwhile.
    """
    data = buffer if isinstance(buffer, ByteRanges) else np.frombuffer(buffer, np.uint8)
    if isinstance(data, np.ndarray):
        data.flags.writeable = False  # as the checksum's implementation demands
    if data[:2].tobytes() == b"\x1f\x8b" and _size_at(data, 0) is None:
        yield Framed(0, 0, Problem.GZIP)
        return
    start, end = 0, len(data)
    if not end:
        yield Framed(0, 0, Problem.EMPTY)
    while start < end:
        if end - start < HEADER_SIZE:
            yield Framed(start, 0, Problem.TRUNCATED)
            return
        size = _size_at(data, start)
        if size is None:
            yield Framed(start, 0, Problem.BAD_LENGTH if start else Problem.NOT_TFRECORD)
            return
        payload = start + HEADER_SIZE
        footer = payload + size
        if footer + FOOTER_SIZE > end:
            yield Framed(start, 0, Problem.TRUNCATED)
            return
        sound = not verify or _is_sound(data[payload : footer + FOOTER_SIZE])
        yield Framed(payload, size, None if sound else Problem.BAD_CHECKSUM)
        start = footer + FOOTER_SIZE


def _is_sound(record: NDArray[np.uint8]) -> bool:
    """Return whether a payload matches the checksum behind it."""
    expected: int = _CHECKSUM.unpack(record[-FOOTER_SIZE:].tobytes())[0]
    return masked_crc(record[:-FOOTER_SIZE]) == expected


def _size_at(data: NDArray[np.uint8] | ByteRanges, start: int) -> int | None:
    """Return the length that the header at `start` gives, or None if its checksum is wrong."""
    header = data[start : start + HEADER_SIZE].tobytes()
    if len(header) < HEADER_SIZE:
        return None
    size, expected = _HEADER.unpack(header)
    return int(size) if masked_crc(header[:8]) == expected else None
