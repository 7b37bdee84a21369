"""Batches of frames, read from the shards by a background thread, in an order that can be resumed.

Everything about batch i of epoch e is a function of (seed, e, i), whatever was loaded before it.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info
from torch.utils.data._utils import collate

from reeltag.core.batch import FrameBatch
from reeltag.core.bounds import CheckedFields, NotNegative, Positive
from reeltag.core.errors import ConfigError
from reeltag.core.seeding import derive_seed
from reeltag.data.items import VideoSet
from reeltag.data.loading.background import Buffer, RunAhead, Slot
from reeltag.data.loading.buffers import BatchBuffer
from reeltag.data.loading.reading import FrameReader
from reeltag.data.remote.order import order_for
from reeltag.data.sampling import FrameChoice, Shuffle, epoch_order


@dataclass(frozen=True, kw_only=True)
class ReadConfig(CheckedFields):
    """How batches are read; what is in them does not depend on it (but for `window`).

    Attributes:
        prefetch: batches read ahead, at least 1.
        pin: page-locked memory, where there is a GPU.
        window: shuffle "shards" moves an item by fewer than so many places; at least 1.
        most_frames: frames of a batch at most, padding included: with shuffle "no", in one
            process, a batch of longer items has fewer of them, at least one; 0: no limit.
    """

    prefetch: Positive = 2
    pin: bool = False
    window: Positive = 10_000
    most_frames: NotNegative = 0


ALL_FRAMES, READ_AHEAD = FrameChoice(), ReadConfig()


def _collate_batches(batches: Sequence[FrameBatch], **_: object) -> FrameBatch:
    """Return the batch that a `DataLoader` took; ConfigError where it took more than one."""
    if len(batches) > 1:
        raise ConfigError(
            f"a DataLoader joins {len(batches)} things, and a Loader gives whole batches",
            where="batch_size",
            hint="Give the size to the Loader, and none to the DataLoader.",
        )
    return batches[0]


# without this table, which torch keeps private, DataLoader(loader, batch_size=None) still works
getattr(collate, "default_collate_fn_map", {})[FrameBatch] = _collate_batches


class Loader(IterableDataset[FrameBatch]):
    """An epoch of batches each time it is iterated over.

    Batches are safe to keep. Each iteration takes the next epoch from its beginning, also where the
    one before was broken off; only the first one after `load_state_dict` begins in mid-epoch.

    It has a thread of its own, and needs no `DataLoader`. `DataLoader(loader)` gives the same
    batches; its workers share those of an epoch (call `set_epoch` then, for they have copies).

    Args:
        items: what to load.
        batch_size: items of a global batch, over all ranks; a multiple of `world_size`. Fewer
            where `reading.most_frames` is less than they have.
        frames: which frames of each. Where too many would make a batch too large
            (`FrameChoice.batch_frames`), they are drawn at random if items are shuffled.
        shuffle: "no": in the order of the index. "global": uniformly. "shards": shard after shard
            in random order, mixed within `reading.window`; for disks. Data of an object store have
            "shards" for "global", and a window of 4 GB at most.
        seed: random seed of order and frames.
        ranks: (rank, world size): this process gets items rank, rank + world size, ... of every
            global batch.
        drop_last: leave out a last batch that is not full. Else a rank's part of it may be empty.
        labels: give batches labels (B, C) where they are known, and weights for rated segments.
        reuse_buffers: faster: batches are in memory that is used again, so that a batch is good
            until `reading.prefetch` further ones were taken, or the loop was left. Copy what is to
            be kept; write nothing into labels and weights.
        reading: how the shards are read.

    Raises:
        ConfigError: a number is out of range, or there is not one full batch to `drop_last` from,
            or frames are to be chosen of video-level records.
    """

    def __init__(
        self,
        items: VideoSet,
        *,
        batch_size: int,
        frames: FrameChoice = ALL_FRAMES,
        shuffle: Shuffle = "no",
        seed: int = 0,
        ranks: tuple[int, int] = (0, 1),
        drop_last: bool = False,
        labels: bool = True,
        reuse_buffers: bool = False,
        reading: ReadConfig = READ_AHEAD,
    ) -> None:
        self._items, self._frames = items, frames
        index = items.dataset.index
        self._epoch_order = order_for(index, items.shard, shuffle, reading.window)
        self._shuffle = self._epoch_order.shuffle
        self._limits = frames.limits(items.features, max(1, batch_size), at_random=shuffle != "no")
        self._batch_size, self._seed, self._drop_last = batch_size, seed, drop_last
        self._rank, self._world_size = ranks
        self._labels, self._reuse, self._reading = labels, reuse_buffers, reading
        self._pin = reading.pin and torch.cuda.is_available()
        self._bounds = self._bounded_batches()
        self._check_options()
        self._epoch, self._batches_done, self._resumed = 0, 0, False
        self._idle_buffers: Sequence[Buffer] | None = None

    def _check_options(self) -> None:
        """Raise ConfigError for what cannot work."""
        if self._world_size < 1 or not 0 <= self._rank < self._world_size:
            raise ConfigError(
                f"must be in [0, {self._world_size}), got {self._rank}", where="ranks"
            )
        if self._batch_size < 1 or self._batch_size % self._world_size:
            raise ConfigError(
                f"must be a positive multiple of the {self._world_size} ranks that share a batch, "
                f"got {self._batch_size}",
                where="batch_size",
            )
        if not len(self):
            raise ConfigError(
                f"{len(self._items)} items do not fill one batch of {self._batch_size}",
                where="batch_size",
                hint="Make the batch smaller, or take more data.",
            )
        if self._items.dataset.kind == "video" and self._frames.how != "all":
            raise ConfigError(
                f"video-level records have one vector each: {self._frames.how!r} chooses nothing",
                where="frames",
                hint="Leave it at 'all'.",
            )

    @property
    def frames_taken(self) -> str:
        """Which frames are taken of the items, in words; "" for records of one vector each."""
        if self._items.dataset.kind == "video":
            return ""
        items = "segments" if self._items.segments else "videos"
        return self._frames.words(self._items.length, self._limits, items)

    @property
    def order_taken(self) -> str:
        """In which order items are taken where that is another one than was asked for, or ""."""
        return self._epoch_order.words

    def __len__(self) -> int:
        """Return the batches of an epoch, the same for all ranks."""
        if self._bounds is not None:
            return len(self._bounds) - 1
        full, rest = divmod(len(self._items), self._batch_size)
        return full + (rest > 0 and not self._drop_last)

    @property
    def num_items(self) -> int:
        """How many items it loads."""
        return len(self._items)

    def starts(self) -> NDArray[np.int64]:
        """Return (len(self),) the place of each batch's first item in the order of an epoch."""
        if self._bounds is not None:
            return np.array(self._bounds[:-1], np.int64)
        return np.arange(len(self), dtype=np.int64) * self._batch_size

    def _bounded_batches(self) -> list[int] | None:
        """Return where the batches begin, and the end, where some have fewer items than others."""
        most, length = self._reading.most_frames, self._items.length
        longest = self._frames.most(int(length.max(initial=0)), self._limits)
        in_order = self._shuffle == "no" and self._world_size == 1 and not self._drop_last
        if not (most and in_order) or self._batch_size * longest <= most:
            return None
        bounds, count, steps = [0], 0, 0
        for item, frames in enumerate(np.minimum(length, longest).tolist()):
            wider = max(steps, frames)
            if count and (count == self._batch_size or (count + 1) * wider > most):
                bounds.append(item)
                count, wider = 0, frames
            count, steps = count + 1, wider
        return [*bounds, len(length)]

    def _numbers(self, batch: int) -> slice:
        """Return the places of a batch's items in the order of the epoch."""
        if self._bounds is not None:
            return slice(self._bounds[batch], self._bounds[batch + 1])
        return slice(batch * self._batch_size, (batch + 1) * self._batch_size)

    def __iter__(self) -> Iterator[FrameBatch]:
        """Yield the batches of an epoch.

        Raises:
            DataError: a shard vanished, shrank or cannot be read.
        """
        if not self._resumed:
            self.set_epoch(self._epoch + (self._batches_done > 0))
        self._resumed = False
        buffers = self._idle_buffers or self._new_buffers()
        self._idle_buffers = None
        epoch, first, worker = self._epoch, self._batches_done, get_worker_info()
        mine = (
            range(first, len(self))
            if worker is None
            else range(first + worker.id, len(self), worker.num_workers)
        )
        batches = self._read_ahead(((epoch, number) for number in mine), buffers)
        try:
            for done, batch in enumerate(batches, start=first + 1):
                self._epoch, self._batches_done = epoch, done
                yield batch
            self.set_epoch(epoch + 1)
        finally:
            if batches.close():
                self._idle_buffers = buffers

    def endless(self, batches_done: int = 0) -> Iterator[FrameBatch]:
        """Yield the batches of epoch after epoch, from number `batches_done` of epoch 0 on.

        The thread reads on across the ends of epochs, and batches stay good across them. The place
        of the loader itself (`state_dict`) is neither used nor moved.

        Args:
            batches_done: how many batches to skip.

        Raises:
            DataError: a shard vanished, shrank or cannot be read.
        """
        places = (divmod(number, len(self)) for number in itertools.count(batches_done))
        batches = self._read_ahead(places, self._new_buffers())
        try:
            yield from batches
        finally:
            batches.close()

    def _read_ahead(
        self, places: Iterator[tuple[int, int]], buffers: Sequence[Buffer]
    ) -> RunAhead[Buffer, FrameBatch]:
        keep = self._reading.prefetch if self._reuse else 1
        return RunAhead(lambda free: self._produce(places, free), buffers, keep=keep)

    def _new_buffers(self) -> Sequence[Buffer]:
        """Return enough for what the consumer holds, what is ready, and what is being filled."""
        if not self._reuse:
            return [Slot() for _ in range(self._reading.prefetch + 2)]
        max_steps = self._frames.most(int(self._items.length.max()), self._limits)
        batch_size = self._batch_size // self._world_size
        return [self._buffer(batch_size, max_steps) for _ in range(2 * self._reading.prefetch + 1)]

    def _buffer(self, batch_size: int, max_steps: int) -> BatchBuffer:
        return BatchBuffer(
            self._items,
            batch_size=batch_size,
            max_steps=max_steps,
            labels=self._labels,
            pin=self._pin,
            most_frames=0 if self._bounds is None else self._reading.most_frames,
        )

    def _produce(
        self, places: Iterator[tuple[int, int]], free: Iterator[Buffer]
    ) -> Iterator[tuple[Buffer, FrameBatch]]:
        """Yield the batches of `places`, (epoch, number) each; runs in the background."""
        mine = slice(self._rank, None, self._world_size)
        known, order = -1, np.empty(0, np.int64)
        with FrameReader(self._items) as reader:
            for (epoch, number), slot in zip(places, free, strict=False):
                if epoch != known:
                    known, order = epoch, self._order(epoch)
                    self._follow(reader, order[self._numbers(number).start :], epoch)
                items = order[self._numbers(number)]
                length = self._items.length[items].astype(np.int64)
                rng = np.random.default_rng(derive_seed(self._seed, "frames", epoch, number))
                chosen = self._frames.choose(length, rng, mine, self._limits)
                items = items[mine]
                if isinstance(slot, BatchBuffer):
                    yield slot, slot.fill(reader, items, chosen)
                else:  # memory of its own for each batch
                    buffer = self._buffer(len(items), chosen.num_steps)
                    yield slot, buffer.fill(reader, items, chosen)

    def _follow(self, reader: FrameReader, coming: NDArray[np.int64], epoch: int) -> None:
        """Let a reader fetch what it will read: the rest of an epoch, and the begin of the next."""
        if self._items.dataset.index.mirror is not None:
            later = coming[:0] if self._shuffle == "no" else self._order(epoch + 1)
            reader.follow(self._items.shard[coming], self._items.shard[later])

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Return the items in the order of an epoch."""
        return epoch_order(
            self._items.shard,
            self._shuffle,
            buffer=self._epoch_order.window,
            seed=derive_seed(self._seed, "shuffle", epoch),
        )

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration begin at the beginning of `epoch`.

        Right after `load_state_dict` the same epoch's number changes nothing.
        """
        if not (self._resumed and epoch == self._epoch):
            self._epoch, self._batches_done, self._resumed = epoch, 0, False

    def state_dict(self) -> dict[str, int]:
        """Return where the loader is: the batches handed out count as done."""
        epochs, batches = divmod(self._batches_done, len(self))
        return {"epoch": self._epoch + epochs, "batches": batches, **self._fixed()}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go to where another loader was; only "epoch" and "batches" have to be there.

        Args:
            state: as `state_dict` returned it.

        Raises:
            ConfigError: the batches were others: batch size, seed or number of items differ.
        """
        for name, here in self._fixed().items():
            if state.get(name, here) != here:
                raise ConfigError(
                    f"was {state[name]} when the state was saved, and is {here} now: the epoch "
                    "cannot be continued",
                    where=name,
                    hint="Continue with the data and settings that it was begun with.",
                )
        if not 0 <= state["batches"] <= len(self):
            raise ConfigError(
                f"must be in [0, {len(self)}], got {state['batches']}", where="batches"
            )
        self._epoch, self._batches_done, self._resumed = state["epoch"], state["batches"], True

    def _fixed(self) -> dict[str, int]:
        """Return what must be the same for a batch number to mean the same."""
        return {"batch_size": self._batch_size, "seed": self._seed, "items": len(self._items)}
