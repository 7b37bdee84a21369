"""Shards that will be read next, fetched by threads before they are."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

_THREADS = 4


class ReadAhead:
    """Fetches shards in the order in which they will be read, a bounded number ahead.

    For one thread. What goes wrong is left to the reader, which fetches the shard itself then.

    Args:
        fetch: gets the number of a shard; runs in threads.
        count: how many shards are fetched that are not yet read, at least 1.
    """

    def __init__(self, fetch: Callable[[int], object], count: int) -> None:
        self._fetch, self._count = fetch, count
        self._order: Sequence[int] = ()
        self._place = dict[int, int]()
        self._reached, self._begun = -1, 0
        self._pool: ThreadPoolExecutor | None = None

    def follow(self, coming: Sequence[int], later: Sequence[int] = ()) -> None:
        """Begin to fetch in another order.

        Args:
            coming: shards in the order of their first use, each once.
            later: those that follow, which may be the same ones.
        """
        self._place = {shard: place for place, shard in enumerate(coming)}
        self._order, self._reached, self._begun = [*coming, *later], -1, 0
        self._begin()

    def reach(self, shard: int) -> None:
        """Note that a shard is read now, and fetch further ones."""
        place = self._place.get(shard, -1)
        if place > self._reached:
            self._reached = place
            self._begin()

    def close(self) -> None:
        """Fetch no more; what is being fetched is finished."""
        self._order = ()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _begin(self) -> None:
        stop = min(self._reached + 1 + self._count, len(self._order))
        for place in range(self._begun, stop):
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, "reeltag-ahead")
            self._pool.submit(self._fetch, self._order[place])
        self._begun = max(self._begun, stop)
