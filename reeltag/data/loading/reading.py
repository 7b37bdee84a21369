"""Frames copied from shards into a batch: of a record only the bytes that are needed are read.

Shards are read (pread) and not mapped: the bytes are copied twice, but resident memory stays flat,
and a shard that is cut short under a running program is an error like any other, not its end
(SIGBUS). Copying by several threads was no faster: the memory is the limit.

Shape letters: B items of a batch, T frames, D values per frame, S streams.
"""

import os
import sys
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.system.open_files import most_open_files, read_into
from reeltag.data.index import Index
from reeltag.data.items import VideoSet
from reeltag.data.records.example import decode_sequence_example
from reeltag.data.records.tfrecord import HEADER_SIZE, record_header, record_headers
from reeltag.data.remote.ahead import ReadAhead
from reeltag.data.remote.order import first_uses
from reeltag.data.sampling import ChosenFrames
from reeltag.data.shards import CHANGED, no_record

_LEAD = 512  # bytes from the header of a record to its frames that are read with them
_AT_ONCE = 8 << 20  # bytes from the first to the last frame that are read together
_SPARSE = 8  # times as many bytes between frames as in them: each is read by itself
_VECTORS_AT_ONCE = 128  # of YouTube-8M's 4.6 KB each: they stay in the second-level cache


class OpenShards:
    """File descriptors of shards, opened when needed; the least recently used are closed.

    For one thread. At most a quarter of the descriptors that the process may have, and 1024.
    """

    def __init__(self, index: Index) -> None:
        self._index, self._max_open = index, most_open_files()
        self._files = OrderedDict[int, int]()
        self._shard, self._file = -1, -1  # read from last
        self._ahead = index.mirror.read_ahead() if index.mirror else None
        self.close = weakref.finalize(self, _close_all, self._files, self._ahead)

    def follow(self, coming: Sequence[int], later: Sequence[int]) -> None:
        """Fetch remote shards before they are read; of files nothing is done.

        Args:
            coming: numbers of shards in the order of their first use, each once.
            later: those that are likely to follow.
        """
        if self._ahead is not None:
            self._ahead.follow(coming, later)

    def read(self, shard: int, buffer: memoryview, offset: int) -> None:
        """Fill `buffer` with the bytes of a shard from `offset` on.

        Args:
            shard: its number.
            buffer: writable, of the wanted length.
            offset: in bytes from the start of the file.

        Raises:
            DataError: the shard cannot be opened or read, or ends before.
        """
        try:
            if shard != self._shard:
                self.check()
                if self._ahead is not None:
                    self._ahead.reach(shard)
                self._file, self._shard = self._open(shard), shard
            num_read = read_into(self._file, buffer, offset)
            size = 0 if num_read == len(buffer) else os.fstat(self._file).st_size
        except OSError as error:
            raise self.changed(shard, f"cannot be read ({error.strerror})") from error
        if num_read != len(buffer):
            end = offset + len(buffer)
            what = f"ends at byte {size}, but the index knows a record up to {end}"
            raise self.changed(shard, what)

    def check(self) -> None:
        """Raise DataError where the shard that was read from last is not as it was indexed."""
        if self._shard >= 0 and not self._index.is_still(self._shard, os.fstat(self._file)):
            raise self.changed(self._shard, "has changed since it was indexed")
        self._shard = -1

    def _open(self, shard: int) -> int:
        """Return the descriptor of a shard, good until the next call."""
        if shard in self._files:
            self._files.move_to_end(shard)
            return self._files[shard]
        if self._ahead is not None:
            self._close_removed()
        if len(self._files) >= self._max_open:
            os.close(self._files.popitem(last=False)[1])
        file = self._index.open(shard)
        if not self._index.is_still(shard, os.fstat(file)):
            os.close(file)
            raise self.changed(shard, "has changed since it was indexed")
        self._files[shard] = file
        return file

    def _close_removed(self) -> None:
        """Close remote shards that the cache has removed, for open files keep their room."""
        for shard, file in list(self._files.items()):
            if not os.fstat(file).st_nlink:
                os.close(self._files.pop(shard))

    def changed(self, shard: int, what: str) -> DataError:
        """Return the error for a shard that the index no longer describes."""
        return DataError(
            what,
            where=self._index.place(shard),
            hint=CHANGED,
        )


def _close_all(files: OrderedDict[int, int], ahead: ReadAhead | None) -> None:
    if ahead is not None:
        ahead.close()
    while files:
        os.close(files.popitem()[1])


class FrameReader:
    """Copies frames of the items of a set. For one thread; a context manager that closes files.

    Args:
        items: the set.
    """

    def __init__(self, items: VideoSet) -> None:
        records = items.records
        self._items, self._records = items, records
        self._offset, self._size = records.column("offset"), records.column("size")
        self._shard = records.column("shard")
        self._num_bytes = np.array([stream.num_bytes for stream in records.streams])
        mixed = any(np.dtype(stream.dtype) != items.dtype for stream in records.streams)
        self._streams = items.features.streams if mixed else None  # to be dequantised
        self._sizes = self._num_bytes.tolist()
        self._columns = _columns([s.width if mixed else s.num_bytes for s in records.streams])
        self._shards = OpenShards(records.dataset.index)
        self._scratch = memoryview(bytearray())
        self._vectors = memoryview(bytearray())

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the files."""
        self._shards.close()

    def follow(self, shards: NDArray[np.int32], later: NDArray[np.int32]) -> None:
        """Fetch remote shards before they are read; of files nothing is done.

        Args:
            shards: (N,) of the items that will be read, in their order.
            later: (M,) of those that are likely to follow.
        """
        self._shards.follow(first_uses(shards), first_uses(later))

    def read(self, items: NDArray[np.int64], chosen: ChosenFrames, out: NDArray[Any]) -> None:
        """Copy the chosen frames of some items; `out` is left as it is behind them.

        Args:
            items: (B,) of the set.
            chosen: which frames of each.
            out: (B, T, D) of the items' dtype.

        Raises:
            DataError: a shard vanished, shrank or cannot be read.
        """
        video = self._items.video[items]
        rows = np.lexsort((self._offset[video], self._shard[video]))  # a disk reads forwards
        if self._records.dataset.kind == "video" and self._records.stride[video].all():
            out_bytes = out[:, 0].view(
                np.uint8
            )  # floats would be copied one by one, being unaligned
            for chunk in range(0, len(rows), _VECTORS_AT_ONCE):
                some = rows[chunk : chunk + _VECTORS_AT_ONCE]
                self._read_vectors(video[some], some, out_bytes)
        else:
            target = out.view(np.uint8) if self._streams is None else out
            self._read_frames(video, self._items.first[items], rows.tolist(), chosen, target)
        self._shards.check()  # afterwards: what was read is of the index
        if sys.byteorder == "big" and self._streams is None:
            out.byteswap(inplace=True)

    def _read_frames(
        self,
        video: NDArray[np.int64],
        first_frame: NDArray[np.int32],
        rows: list[int],
        chosen: ChosenFrames,
        out: NDArray[Any],
    ) -> None:
        """Copy a video and stream at a time, through memory that stays in the cache."""
        first = first_frame + chosen.first
        stride = self._records.stride[video]
        position = self._offset[video, None] + self._records.start[video] + first[:, None] * stride
        size = (chosen.span - 1)[:, None] * stride + self._num_bytes
        self._reserve(min(int(size.max(initial=0)), _AT_ONCE))
        shards, positions, sizes = self._shard[video].tolist(), position.tolist(), size.tolist()
        counts, spans = chosen.count.tolist(), chosen.span.tolist()
        steps = (stride * chosen.step).tolist()
        listed = chosen.listed
        offsets, lengths = self._offset[video].tolist(), self._size[video].tolist()
        for row in rows:
            count = counts[row]
            record = shards[row], offsets[row], lengths[row]
            if 0 in steps[row]:
                self._walk(int(video[row]), int(first[row]), row, chosen, out)
                continue
            for stream, (left, right) in enumerate(self._columns):
                place, span = positions[row][stream], sizes[row][stream]
                if span > _AT_ONCE:
                    numbers = chosen.numbers(row)
                    step = int(stride[row, stream])
                    target = out[row, :count, left:right]
                    self._read_apart(record, stream, place, step, numbers, target)
                    continue
                source, at = self._bytes(*record, place, span, check=not stream)
                shape = count if listed is None else spans[row], self._sizes[stream]
                frames = np.ndarray(shape, np.uint8, source, at, (steps[row][stream], 1))
                if listed is not None:
                    frames = frames[listed[row, :count]]
                out[row, :count, left:right] = (
                    frames if self._streams is None else self._dequantised(stream, frames)
                )

    def _read_apart(
        self,
        record: tuple[int, int, int],
        stream: int,
        position: int,
        stride: int,
        numbers: NDArray[np.int64],
        out: NDArray[Any],
    ) -> None:
        """Copy frames of a stream that are too far apart to be read at one go.

        Args:
            record: shard, offset and size.
            stream: its number.
            position: of frame 0 in the shard.
            stride: bytes from one frame to the next.
            numbers: (T,) of the frames.
            out: (T, bytes or values of a frame).
        """
        size = self._sizes[stream]
        if not stream:
            self._bytes(*record, record[1], 0, check=True)
        reach = max(0, _AT_ONCE - size) // stride  # frames to the last that is read with one
        ascending = bool((np.diff(numbers) > 0).all())
        if not ascending or len(numbers) * size * _SPARSE < int(np.ptp(numbers)) * stride:
            reach = 0
        done = 0
        while done < len(numbers):
            last = numbers[done] + reach
            stop = int(np.searchsorted(numbers, last, "right")) if reach else done + 1
            here = numbers[done:stop] - numbers[done]
            span = int(here[-1]) * stride + size
            place = position + int(numbers[done]) * stride
            self._reserve(span)
            source, at = self._bytes(*record, place, span, check=False)
            frames = np.ndarray((int(here[-1]) + 1, size), np.uint8, source, at, (stride, 1))[here]
            out[done:stop] = frames if self._streams is None else self._dequantised(stream, frames)
            done = stop

    def _read_vectors(
        self, video: NDArray[np.int64], rows: NDArray[np.int64], out_bytes: NDArray[np.uint8]
    ) -> None:
        """Copy one vector a record, all streams at one go, then put them into their columns.

        The header of each record comes along, so that all are checked together.
        """
        shard, start = self._shard[video], self._records.start[video]
        offset, length = self._offset[video], self._size[video]
        first = start.min(axis=1)
        is_near = first + HEADER_SIZE <= _LEAD
        first = np.where(is_near, -HEADER_SIZE, first)
        size = (start + self._num_bytes).max(axis=1) - first
        table = self._copied(shard, offset + first, size)
        seems_right = (table[:, :HEADER_SIZE] == record_headers(length)).all(axis=1)
        for at in np.flatnonzero(~(is_near & seems_right)).tolist():
            record = int(shard[at]), int(offset[at]), int(length[at])
            self._reserve(0)
            self._bytes(*record, record[1], 0, check=True)
        for stream, (left, right) in enumerate(self._columns):
            place = start[:, stream] - first
            for column in np.unique(place).tolist():  # mostly one
                same = np.flatnonzero(place == column)
                values = table[:, column : column + right - left]
                out_bytes[rows[same], left:right] = (
                    values if len(same) == len(rows) else values[same]
                )

    def _copied(
        self, shards: NDArray[np.int32], position: NDArray[np.int64], size: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        """Return (N, W) some bytes of each of N shards, in memory that is used again.

        Args:
            shards: (N,) their numbers.
            position: (N,) of the first byte.
            size: (N,) number of bytes.
        """
        width = int(size.max())
        if len(self._vectors) < width * len(size):
            self._vectors = memoryview(bytearray(width * len(size)))
        memory = self._vectors
        row = np.arange(len(size)) * width
        columns = shards, position, row, row + size
        for shard, begin, left, right in zip(*(x.tolist() for x in columns), strict=True):
            self._shards.read(shard, memory[left:right], begin)
        return np.frombuffer(memory, np.uint8, width * len(size)).reshape(-1, width)

    def _bytes(
        self, shard: int, offset: int, size: int, position: int, num_bytes: int, *, check: bool
    ) -> tuple[memoryview, int]:
        """Return where the bytes of a record from `position` on are, and at which place in it.

        Args:
            shard: its number.
            offset: of the record.
            size: of the record.
            position: in the shard.
            num_bytes: that are wanted; `_reserve` has made room for them.
            check: raise DataError where no record of that size is there: the shard is another.
        """
        lead = position - offset + HEADER_SIZE if check else 0
        if lead > _LEAD:  # too far from its header to be read together
            self._bytes(shard, offset, size, offset, 0, check=True)
            lead = 0
        self._shards.read(shard, self._scratch[: lead + num_bytes], position - lead)
        if lead and self._scratch[:HEADER_SIZE].tobytes() != record_header(size):
            raise no_record(offset, size, self._records.dataset.index.place(shard))
        return self._scratch, lead

    def _walk(
        self, video: int, first: int, row: int, chosen: ChosenFrames, out: NDArray[Any]
    ) -> None:
        """Copy the frames of a record whose frames have no constant stride, by decoding it."""
        shard, offset, size = (
            int(column[video]) for column in (self._shard, self._offset, self._size)
        )
        self._reserve(size)
        source, at = self._bytes(shard, offset, size, offset, size, check=True)
        payload = source[at : at + size]
        context, lists = decode_sequence_example(bytes(payload))
        count = int(chosen.count[row])
        if chosen.listed is None:
            wanted = first + chosen.step * np.arange(count)
        else:
            wanted = first + chosen.listed[row, :count]
        columns = zip(self._records.streams, self._columns, strict=True)
        for number, (stream, (left, right)) in enumerate(columns):
            if not lists:  # one vector
                out[row, 0, left:right] = np.asarray(context[stream.name], "<f4").view(np.uint8)
                continue
            listed = [lists[stream.name][frame] for frame in wanted.tolist()]
            joined = b"".join(frame[0] for frame in listed if isinstance(frame, list))
            frames = np.frombuffer(joined, np.uint8).reshape(count, -1)
            out[row, :count, left:right] = (
                frames if self._streams is None else self._dequantised(number, frames)
            )

    def _dequantised(self, stream: int, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the values (T, width) of the bytes of some frames of a stream."""
        assert self._streams is not None
        described = self._streams[stream]
        dtype = np.dtype(described.dtype).newbyteorder("<")
        return described.dequantise(np.ascontiguousarray(frames).view(dtype))

    def _reserve(self, num_bytes: int) -> None:
        """Make room for so many bytes of a record and what is read before them."""
        if len(self._scratch) < num_bytes + _LEAD:
            self._scratch = memoryview(bytearray(num_bytes + _LEAD))


def _columns(sizes: list[int]) -> list[tuple[int, int]]:
    """Return the first and last column (not included) of each stream, of so many columns."""
    stops = np.cumsum(sizes).tolist()
    return list(zip([0, *stops], stops, strict=False))
