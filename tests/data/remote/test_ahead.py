import threading

import pytest

from reeltag.data.remote.ahead import ReadAhead


class Fetcher:
    """Fetches nothing, and tells what was wanted."""

    def __init__(self) -> None:
        self.fetched = list[int]()
        self._changed = threading.Condition()

    def __call__(self, shard: int) -> None:
        with self._changed:
            self.fetched.append(shard)
            self._changed.notify_all()
        if shard == 99:
            raise OSError("gone")

    def wait_for(self, count: int) -> set[int]:
        """Return the shards that were fetched, when they are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.fetched) >= count, timeout=60)
            return set(self.fetched)


def test_read_ahead_stays_a_bounded_number_ahead() -> None:
    fetch = Fetcher()
    ahead = ReadAhead(fetch, 3)
    ahead.follow([5, 1, 4, 2, 0, 3])
    assert fetch.wait_for(3) == {5, 1, 4}
    ahead.reach(5)
    assert fetch.wait_for(4) == {5, 1, 4, 2}
    ahead.reach(4)  # one may be skipped
    assert fetch.wait_for(6) == {5, 1, 4, 2, 0, 3}
    ahead.reach(1)
    ahead.reach(7)
    ahead.close()
    assert len(fetch.fetched) == 6


def test_read_ahead_goes_on_into_the_next_epoch() -> None:
    fetch = Fetcher()
    ahead = ReadAhead(fetch, 2)
    ahead.follow([1, 0], later=[0, 1])
    fetch.wait_for(2)
    ahead.reach(0)
    fetch.wait_for(4)
    ahead.close()
    assert sorted(fetch.fetched) == [0, 0, 1, 1]


@pytest.mark.parametrize("count", [1, 4])
def test_read_ahead_leaves_errors_to_the_reader(count: int) -> None:
    fetch = Fetcher()
    ahead = ReadAhead(fetch, count)
    ahead.follow([99, 1])
    ahead.reach(99)
    assert fetch.wait_for(2) == {99, 1}
    ahead.close()
    ahead.reach(1)
