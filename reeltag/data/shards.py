"""Shards as bytes: opened when needed, closed when many, and as they were when indexed."""

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.system.open_files import most_open_files
from reeltag.data.index import Index, Stream
from reeltag.data.records.example import decode_sequence_example
from reeltag.data.records.file_bytes import FileBytes
from reeltag.data.records.tfrecord import HEADER_SIZE, record_header

CHANGED = "It is not as it was when it was indexed: run `reeltag info` on the data again."


class ShardFiles:
    """The shards of a data set, read by any number of threads.

    An open file has a descriptor, and a data set may have thousands of shards: the least recently
    used file is closed when there are too many.

    Args:
        index: of the data set.
        max_open: files kept open; by default a quarter of the descriptors allowed, at most 1024.
    """

    def __init__(self, index: Index, max_open: int | None = None) -> None:
        self._index = index
        self._max_open = most_open_files() if max_open is None else max_open
        self._open: OrderedDict[int, FileBytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, shard: int, begin: int, end: int) -> NDArray[np.uint8]:
        """Return bytes [begin, end) of shard number `shard`, read-only.

        Args:
            shard: from 0.
            begin: of the first byte.
            end: behind the last one.

        Raises:
            DataError: they cannot be read, or the shard has changed since it was indexed.
        """
        with self._lock:
            file = self._open.get(shard)
            if file is None:
                file = self._open[shard] = open_shard(self._index, shard)
                while len(self._open) > self._max_open:
                    self._open.popitem(last=False)
            self._open.move_to_end(shard)
        read = file.read(begin, end)
        _check_stamp(self._index, shard, file)  # afterwards: what was read is of the index
        return read


def _check_stamp(index: Index, shard: int, file: FileBytes) -> None:
    """Raise DataError where a shard has changed since it was indexed."""
    if not index.is_still(shard, file.status()):
        raise DataError("has changed since it was indexed", where=index.place(shard), hint=CHANGED)


def open_shard(index: Index, shard: int) -> FileBytes:
    """Return the bytes of a shard, to be read record by record.

    Args:
        index: of the data set.
        shard: from 0.

    Raises:
        DataError: the file cannot be opened, or has changed since it was indexed.
    """
    path = index.path(shard)
    opened = FileBytes(path, ahead=0, opened=index.open(shard) if index.mirror else None)
    _check_stamp(index, shard, opened)
    return opened


def check_header(
    shard: NDArray[np.uint8] | FileBytes, offset: int, size: int, path: object
) -> None:
    """Raise DataError where no record of `size` bytes begins at `offset` of a shard."""
    if shard[offset - HEADER_SIZE : offset].tobytes() != record_header(size):
        raise no_record(offset, size, path)


def no_record(offset: int, size: int, path: object) -> DataError:
    """Return the error for a record that is not where the index has it."""
    what = f"byte {offset} is not the begin of a record of {size} bytes"
    return DataError(what, where=path, hint=CHANGED)


def read_record(index: Index, row: int) -> dict[str, NDArray[Any]]:
    """Return the streams of one record as stored: name -> (T, width). The loader is faster.

    Args:
        index: of the data.
        row: of its table.

    Raises:
        DataError: the record is one that is skipped, or the shard has changed.
    """
    record = index.table.slice(row, 1).to_pylist()[0]
    path = index.place(record["shard"])
    if record["skip"]:
        raise DataError(record["problem"], where=f"{path}, byte {record['offset']}")
    shard = open_shard(index, record["shard"])
    check_header(shard, record["offset"], record["size"], path)
    payload = shard[record["offset"] : record["offset"] + record["size"]]
    return {
        stream.name: _read_stream(payload, stream, record["frames"], start, stride)
        for stream, start, stride in zip(
            index.streams, record["start"], record["stride"], strict=True
        )
    }


def _read_stream(
    payload: NDArray[np.uint8], stream: Stream, num_frames: int, start: int, stride: int
) -> NDArray[Any]:
    """Return (T, width), by the places in the index or, for stride 0, from the decoded record."""
    if stride:
        rows = np.lib.stride_tricks.as_strided(
            payload[start:], (num_frames, stream.num_bytes), (stride, 1)
        )
    else:
        rows = _walked(payload, stream)
    return rows.copy().view(np.dtype(stream.dtype).newbyteorder("<"))


def _walked(payload: NDArray[np.uint8], stream: Stream) -> NDArray[np.uint8]:
    """Return the bytes (T, bytes per frame) of a stream that has no constant stride."""
    context, lists = decode_sequence_example(payload.tobytes())
    if not lists:  # one vector
        values = context[stream.name]
        return np.asarray(values, "<f4").view(np.uint8).reshape(1, -1)
    frames = [frame[0] if isinstance(frame, list) else b"" for frame in lists[stream.name]]
    return np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), stream.num_bytes)
