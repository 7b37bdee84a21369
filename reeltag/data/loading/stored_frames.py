"""Frames of single videos as they are stored: of a shard only the bytes of these are read."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.data.records.example import decode_sequence_example
from reeltag.data.records.tfrecord import HEADER_SIZE, record_header
from reeltag.data.selection import Records
from reeltag.data.shards import ShardFiles, no_record


class StoredFrames:
    """The stored frames of the records of a selection, for any number of threads.

    Args:
        records: of frames.
    """

    def __init__(self, records: Records) -> None:
        self._records, self._files = records, ShardFiles(records.dataset.index)
        self._places = [
            records.column(name).tolist() for name in ("shard", "offset", "size", "frames")
        ]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def of(self, record: int, stream: int, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return frames (T, width) of a stream of a record, read-only and perhaps unaligned.

        Args:
            record: its number in the selection.
            stream: its number in the selection.
            start: the first frame.
            stop: behind the last frame; None: all.

        Raises:
            DataError: the shard has changed, or is not there any more.
        """
        shard, offset, size, frames = (column[record] for column in self._places)
        records, wanted = self._records, self._records.streams[stream]
        first, count, _ = slice(start, stop).indices(frames)
        count = max(0, count - first)
        header = self._files.read(shard, offset - HEADER_SIZE, offset)
        if header.tobytes() != record_header(size):
            raise no_record(offset, size, records.dataset.index.place(shard))
        dtype = np.dtype(wanted.dtype).newbyteorder("<")
        place, stride = int(records.start[record, stream]), int(records.stride[record, stream])
        if stride and count:
            begin = offset + place + first * stride
            read = self._files.read(shard, begin, begin + (count - 1) * stride + wanted.num_bytes)
            strides = stride, dtype.itemsize
            return np.ndarray((count, wanted.width), dtype, read.data, 0, strides)
        _, lists = decode_sequence_example(self._files.read(shard, offset, offset + size).tobytes())
        rows = [frame[0] for frame in lists[wanted.name] if isinstance(frame, list)]
        values = np.frombuffer(b"".join(rows), dtype).reshape(frames, wanted.width)
        return values[first : first + count]

    def blocks(self, record: int, stream: int, num_frames: int) -> Iterator[NDArray[Any]]:
        """Yield the frames of a stream of a record, so many (B, width) at a time; see `of`.

        Args:
            record: its number in the selection.
            stream: its number in the selection.
            num_frames: B, of all blocks but the last one.
        """
        frames = self._places[-1][record]
        walked = None if self._records.stride[record, stream] else self.of(record, stream)
        for start in range(0, frames, num_frames):
            stop = min(start + num_frames, frames)
            yield self.of(record, stream, start, stop) if walked is None else walked[start:stop]
