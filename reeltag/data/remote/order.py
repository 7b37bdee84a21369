"""In which order remote data are trained on: shard after shard, few at a time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.formatting import format_size
from reeltag.data.remote.cache import SIZE, cache_limit
from reeltag.data.sampling import Shuffle

if TYPE_CHECKING:
    from reeltag.data.index import Index

_WINDOW_BYTES = 4_000_000_000  # of the shards that items are mixed over, at most


@dataclass(frozen=True)
class EpochOrder:
    """How an epoch goes through its items; see `reeltag.data.sampling.epoch_order`.

    Attributes:
        shuffle: how they are mixed.
        window: items by which "shards" moves one.
        words: what is other than was asked for; "" for nothing.
    """

    shuffle: Shuffle
    window: int
    words: str = ""


def order_for(
    index: "Index", shard: NDArray[np.int32], shuffle: Shuffle, window: int
) -> EpochOrder:
    """Return the order that is asked for; of remote data one that reads shard after shard.

    It depends on the data alone, so that a run goes on as it began on any machine.

    Args:
        index: of the data.
        shard: (N,) number of the shard of each item, ascending.
        shuffle: that is asked for.
        window: items, for "shards".

    Raises:
        ConfigError: the cache has no room for the shards that are needed at a time.
    """
    if index.mirror is None or shuffle == "no" or not len(shard):
        return EpochOrder(shuffle, window)
    sizes = np.array([index.mirror.shards[number].size for number in np.unique(shard)])
    per_item = sizes.sum() / len(shard)
    window = int(max(1, min(window, _WINDOW_BYTES / per_item)))
    needed = min(sizes.sum(), window * per_item + 2 * sizes.max())
    if needed > (limit := cache_limit()):
        raise ConfigError(
            f"shards of {format_size(int(needed))} of {index.mirror.address} are needed at a time, "
            f"and {format_size(limit)} may be kept",
            where=SIZE,
            hint=f"Set {SIZE} to at least {int(needed / 1e9) + 1}.",
        )
    words = f"shard after shard in random order, mixed within {window:,} places, as data are read "
    words += "that are in an object store"
    return EpochOrder("shards", window, words if shuffle == "global" else "")


def first_uses(shard: NDArray[np.int32]) -> list[int]:
    """Return shards in the order of their first use, each once.

    Args:
        shard: (N,) of items in the order in which they are read.
    """
    numbers, first = np.unique(shard, return_index=True)
    found: list[int] = numbers[np.argsort(first)].tolist()
    return found
