"""Packets of several streams of a file, each stream at its own pace."""

from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet

from reeltag.library.media.opening import open_container

AnyPacket: TypeAlias = "Packet[Any]"

QUEUE_BYTES = 2**26  # of packets that wait for their turn


@dataclass
class PacketErrors:
    """Packets that could not be decoded; they are left out.

    Attributes:
        count: how many.
        first_s: where the first was, in seconds.
        reason: why it could not.
    """

    count: int = 0
    first_s: float = 0.0
    reason: str = ""

    def add(self, time: Fraction, reason: str) -> None:
        """Count one at a time in seconds."""
        if not self.count:
            self.first_s, self.reason = float(time), reason
        self.count += 1


class PacketReader:
    """Reads a file once, in its order, and keeps the packets that are not wanted yet.

    Where the streams of a file are not interleaved, so that more packets than `limit` bytes would
    wait, the stream that is behind gets a second reader of its own.

    Args:
        path: of the file.
        container: opened, at its beginning.
        indices: of the streams that are read.
        limit: bytes.

    Attributes:
        error: what ended the reading; "" = the end of the file.
    """

    def __init__(
        self, path: Path, container: InputContainer, indices: list[int], limit: int = QUEUE_BYTES
    ) -> None:
        self._path, self._limit = path, limit
        self._queues: dict[int, deque[AnyPacket]] = defaultdict(deque)
        self._bytes: dict[int, int] = defaultdict(int)
        self._seen: dict[int, int] = defaultdict(int)
        shared = self._demux(container, indices)
        self._sources = dict.fromkeys(indices, shared)
        self._opened = ExitStack()
        self.error = ""

    def __enter__(self) -> "PacketReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    def packets(self, index: int) -> Iterator[AnyPacket]:
        """Yield the packets of a stream; those of others that come by wait for their turn."""
        queue = self._queues[index]
        while True:
            while queue:
                packet = queue.popleft()
                self._bytes[index] -= packet.size
                self._seen[index] += 1
                yield packet
            source = self._sources[index]
            coming = next(source, None)
            if coming is None:
                return
            of = coming.stream_index
            if self._sources[of] is not source:  # it is read apart
                continue
            self._queues[of].append(coming)
            self._bytes[of] += coming.size
            if of != index and self._bytes[of] > self._limit:
                self._read_apart(index)

    def _read_apart(self, index: int) -> None:
        """Give a stream a reader of its own, where it stands."""
        container = self._opened.enter_context(open_container(self._path))
        source = self._demux(container, [index])
        for _ in range(self._seen[index]):
            next(source, None)
        self._sources[index] = source

    def _demux(self, container: InputContainer, indices: list[int]) -> Iterator[AnyPacket]:
        try:
            for packet in container.demux(*(container.streams[index] for index in indices)):
                if packet.size:  # the empty ones at the end flush decoders
                    yield packet
        except av.FFmpegError as error:
            self.error = str(error.strerror or error)
        except IndexError:  # at the end of files in which streams appear midway
            pass
