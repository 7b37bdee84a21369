"""Frames of single videos as they are stored, straight from mapped shards: nothing is copied."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.data.records.example import decode_sequence_example
from reeltag.data.selection import Records
from reeltag.data.shards import ShardMaps, check_header


class StoredFrames:
    """The stored frames of the records of a selection, for any number of threads.

    Args:
        records: of frames.
    """

    def __init__(self, records: Records) -> None:
        self._records, self._maps = records, ShardMaps(records.dataset.index)
        self._places = [
            records.column(name).tolist() for name in ("shard", "offset", "size", "frames")
        ]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def of(self, record: int, stream: int) -> NDArray[Any]:
        """Return the frames (T, width) of a stream of a record, read-only and perhaps unaligned.

        Args:
            record: its number in the selection.
            stream: its number in the selection.

        Raises:
            DataError: the shard has changed, or is not there any more.
        """
        shard, offset, size, frames = (column[record] for column in self._places)
        records, wanted = self._records, self._records.streams[stream]
        mapped = self._maps.buffer(shard)
        check_header(mapped, offset, size, records.dataset.index.path(shard))
        dtype = np.dtype(wanted.dtype).newbyteorder("<")
        start, stride = int(records.start[record, stream]), int(records.stride[record, stream])
        if stride:
            place, strides = offset + start, (stride, dtype.itemsize)
            return np.ndarray((frames, wanted.width), dtype, mapped.data, place, strides)
        _, lists = decode_sequence_example(mapped[offset : offset + size].tobytes())
        rows = [frame[0] for frame in lists[wanted.name] if isinstance(frame, list)]
        return np.frombuffer(b"".join(rows), dtype).reshape(frames, wanted.width)
