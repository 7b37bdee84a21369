"""A thread that works ahead: what it makes, how far ahead, how it fails and how it ends."""

import gc
import queue
import threading
from collections.abc import Iterator

import pytest

from reeltag.data.loading.background import RunAhead
from tests.data.batches import loader_threads


class Slot:
    """A buffer that remembers its last number, and how often the consumer let it go."""

    def __init__(self) -> None:
        self.number, self.times_let_go = -1, 0

    def let_go(self) -> None:
        self.times_let_go += 1


def run(
    stop: int, num_slots: int = 5, keep: int = 2, asked: "queue.Queue[int] | None" = None
) -> RunAhead[Slot, Slot]:
    """Count in the background; `asked` gets each number when a buffer is wanted for it."""

    def produce(free: Iterator[Slot]) -> Iterator[tuple[Slot, Slot]]:
        for number in range(stop):
            if asked is not None:
                asked.put(number)
            slot = next(free, None)
            if slot is None:
                return
            slot.number = number
            yield slot, slot

    return RunAhead(produce, [Slot() for _ in range(num_slots)], keep)


def test_results_come_in_order_and_the_thread_ends_with_them() -> None:
    ahead = run(20)
    assert [slot.number for slot in ahead] == list(range(20))
    assert not loader_threads()
    assert list(ahead) == []


def test_run_ahead_works_as_far_ahead_as_there_are_buffers() -> None:
    asked: queue.Queue[int] = queue.Queue()
    ahead = run(20, num_slots=5, keep=2, asked=asked)
    assert [asked.get() for _ in range(6)] == [0, 1, 2, 3, 4, 5]  # the last is waited for
    next(ahead)
    next(ahead)  # both are kept
    next(ahead)  # the first is let go
    assert asked.get() == 6
    ahead.close()  # until here it could have wanted a buffer more, had one been free
    assert asked.empty()


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_result_is_good_until_so_many_further_ones_were_taken(keep: int) -> None:
    taken: list[Slot] = []
    for number, slot in enumerate(run(50, num_slots=2 * keep + 1, keep=keep)):
        taken.append(slot)
        good = range(max(0, number + 1 - keep), number + 1)
        assert [taken[old].number for old in good] == list(good)


def test_consumer_releases_each_buffer_when_it_is_done_with_it() -> None:
    ahead = run(6, num_slots=3, keep=1)
    first = next(ahead)
    assert first.times_let_go == 0
    second = next(ahead)
    assert (first.times_let_go, second.times_let_go) == (1, 0)
    ahead.close()
    assert second.times_let_go == 1


def test_exception_of_the_thread_reaches_the_consumer_after_the_results_before_it() -> None:
    def produce(free: Iterator[Slot]) -> Iterator[tuple[Slot, int]]:
        yield next(free), 1
        raise OSError("the disk is on fire")

    ahead = RunAhead(produce, [Slot(), Slot()], keep=1)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="the disk is on fire"):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)
    assert not loader_threads()


def test_closing_early_ends_the_thread() -> None:
    ahead = run(1000)
    next(ahead)
    assert len(loader_threads()) == 1
    assert ahead.close()
    assert not loader_threads()
    with pytest.raises(StopIteration):
        next(ahead)


def test_forgotten_iterator_ends_its_thread() -> None:
    ahead = run(1000)
    next(ahead)
    del ahead
    gc.collect()
    assert not loader_threads()


def test_thread_itself_may_collect_its_iterator() -> None:
    """The garbage collector runs on whatever thread allocates: it must not wait for itself."""
    box: list[RunAhead[Slot, Slot]] = []
    closed: list[bool] = []
    go = threading.Event()

    def produce(free: Iterator[Slot]) -> Iterator[tuple[Slot, Slot]]:
        go.wait()
        closed.append(box.pop().close())
        yield from ()

    box.append(RunAhead(produce, [Slot()], keep=1))
    (thread,) = loader_threads()
    go.set()
    thread.join()
    assert not thread.is_alive()
    assert closed == [False]  # the buffers were still in use
