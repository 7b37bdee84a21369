"""Arrow files of our own with a checksum behind them, so that none is read that was damaged.

    an Arrow file | "reeltag1" | CRC32C of all before, 4 bytes, little-endian

What reads Arrow files believes the offsets in them. A flipped bit is then another value, or a place
that is not there. These files are caches, or go on with work that was stopped: what is damaged is
made again.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import google_crc32c
import numpy as np
import pyarrow as pa

from reeltag.core.arrow_files import arrow_sink, mapped_source
from reeltag.core.errors import DataError

_SEAL = struct.Struct("<8sI")
_MARK = b"reeltag1"
_AT_ONCE = 4 << 20  # bytes


@contextmanager
def sealed_writer(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatchFileWriter]:
    """Yield a writer of a file, which gets its checksum if the block succeeds.

    Args:
        path: of the file; to be given its name later by the caller.
        schema: of its batches.
    """
    with arrow_sink(path) as file, pa.ipc.new_file(file, schema) as writer:
        yield writer
    crc = google_crc32c.Checksum()
    with path.open("rb+") as file:
        while block := file.read(_AT_ONCE):
            crc.update(block)
        crc.update(_MARK)
        file.write(_SEAL.pack(_MARK, int.from_bytes(crc.digest(), "big")))


def open_sealed(path: Path) -> pa.RecordBatchFileReader:
    """Return a reader of the Arrow file that `sealed_writer` wrote; it is mapped, not copied.

    Args:
        path: of the file, which is not to be changed while the reader and its batches live.

    Raises:
        DataError: it was changed since, or is none.
        OSError: it cannot be read.
        ArrowException: it is no Arrow file.
    """
    with mapped_source(path) as file:
        content = file.read_buffer()
    end = content.size - _SEAL.size
    if end < 0:
        raise _damaged(path)
    mark, expected = _SEAL.unpack(content.slice(end).to_pybytes())
    data = np.frombuffer(content.slice(0, end + len(_MARK)), np.uint8)
    crc = google_crc32c.Checksum()
    for start in range(0, len(data), _AT_ONCE):
        crc.update(data[start : start + _AT_ONCE])
    if mark != _MARK or int.from_bytes(crc.digest(), "big") != expected:
        raise _damaged(path)
    return pa.ipc.open_file(pa.BufferReader(content.slice(0, end)))


def _damaged(path: Path) -> DataError:
    return DataError("is damaged: it does not match its checksum", where=path, hint="Remove it.")
