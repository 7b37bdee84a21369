"""The bytes of a shard in a store, for who reads it through once: blocks, some of them ahead."""

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltag.data.records.file_bytes import ByteRanges, FileBytes
from reeltag.data.remote.cache import BLOCK, ShardCache
from reeltag.data.remote.store import RemoteObject

_BLOCKS_AHEAD = 2  # of a shard that is read through


@dataclass(frozen=True)
class RemoteShard:
    """A shard in a store as a source of bytes, for any process.

    Attributes:
        cache: of its address.
        object: that it is.
        keep: fetch it whole and keep it; else only what is read is fetched, and not kept.
    """

    cache: ShardCache
    object: RemoteObject
    keep: bool

    def open(self, ahead: int) -> ByteRanges:
        """Return its bytes; errors as `ShardCache.open`.

        Args:
            ahead: bytes that a reader wants at a time; where they are less than a block, it is
                taken to read the begin only.
        """
        if self.keep or self.cache.is_here(self.object):
            path, opened = self.cache.path(self.object), self.cache.open(self.object)
            return FileBytes(path, ahead=ahead, opened=opened)
        through = 2 * ahead >= BLOCK
        return RangedBytes(
            self.cache,
            self.object,
            block=BLOCK if through else max(1, ahead),
            blocks_ahead=_BLOCKS_AHEAD if through else 0,
        )


class RangedBytes(ByteRanges):
    """The bytes of an object, in blocks that are kept until the reader is behind them.

    For one thread. Whoever reads the last block learns whether the object has changed meanwhile.

    Args:
        cache: of its address.
        object: what is read.
        block: bytes of a request.
        blocks_ahead: how many blocks are fetched before they are asked for.
    """

    def __init__(
        self, cache: ShardCache, object: RemoteObject, *, block: int, blocks_ahead: int
    ) -> None:
        super().__init__(object.size, ahead=block)
        self._cache, self._object = cache, object
        self._block, self._blocks_ahead = block, blocks_ahead
        self._blocks = OrderedDict[int, Future[bytes]]()
        self._pool = ThreadPoolExecutor(1 + blocks_ahead)

    def read(self, begin: int, end: int, *, ahead: int = 0) -> NDArray[np.uint8]:
        """Return the bytes from `begin` to `end` or to the end of a block; see `ByteRanges.read`.

        Args:
            begin: of the first byte.
            end: behind the last one.
            ahead: is that of the blocks, whatever is given.
        """
        first, last = begin // self._block, (end - 1) // self._block
        for number in [number for number in self._blocks if number < first]:
            self._blocks.pop(number).cancel()
        total = -(-self._size // self._block)
        for number in range(first, min(last + 1 + self._blocks_ahead, total)):
            if number not in self._blocks:
                self._blocks[number] = self._pool.submit(self._fetch, number)
        some = b"".join(self._blocks[number].result() for number in range(first, last + 1))
        return np.frombuffer(some, np.uint8)[begin - first * self._block :]

    def _fetch(self, number: int) -> bytes:
        begin = number * self._block
        end = min(begin + self._block, self._size)
        some = self._cache.store.read(self._object.name, begin, end)
        if len(some) != end - begin:
            raise self._cache.changed(self._object)
        if end == self._size:
            self._cache.check_same(self._object)
        return some
