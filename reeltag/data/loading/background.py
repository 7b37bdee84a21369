"""A thread that works ahead of its consumer, within a fixed number of buffers."""

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Generic, Protocol, Self, TypeVar


class Buffer(Protocol):
    """Memory of results."""

    def let_go(self) -> None:
        """Free the memory: the consumer, on whose thread this is called, is done with it."""


class Slot:
    """A place for a result that has memory of its own."""

    def let_go(self) -> None:
        """Do nothing."""


B = TypeVar("B", bound=Buffer)
T = TypeVar("T")


class RunAhead(Generic[B, T]):
    """Iterates over results that a thread makes ahead of time.

    A result is good until `keep` further ones have been taken, or until `close`. An exception of
    the thread is raised by `next`, after the results before it. The thread ends with the results,
    on `close`, when the iterator is garbage, and when the interpreter exits.

    Args:
        produce: gets an iterator over free buffers; yields a result for each that it takes.
        buffers: at least keep + 1; what goes beyond that is how far the thread works ahead.
        keep: how many results the consumer may hold, at least 1.
    """

    def __init__(
        self,
        produce: Callable[[Iterator[B]], Iterator[tuple[B, T]]],
        buffers: Sequence[B],
        keep: int,
    ) -> None:
        self._keep = keep
        self._held = deque[B]()
        self._free: SimpleQueue[B | None] = SimpleQueue()
        self._ready: SimpleQueue[tuple[B, T] | BaseException | None] = SimpleQueue()
        for buffer in buffers:
            self._free.put(buffer)
        stop = threading.Event()
        self._thread = threading.Thread(
            target=_work,
            args=(produce, self._free, self._ready, stop),
            name="reeltag-loader",
            daemon=True,
        )
        self._stop = weakref.finalize(self, _stop, self._thread, self._free, stop)
        self._thread.start()

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> T:
        """Return the next result; waits for it if need be."""
        if not self._stop.alive:
            raise StopIteration
        if len(self._held) == self._keep:
            buffer = self._held.popleft()
            buffer.let_go()
            self._free.put(buffer)
        got = self._ready.get()
        if not isinstance(got, tuple):
            self.close()
            raise StopIteration if got is None else got
        self._held.append(got[0])
        return got[1]

    def close(self) -> bool:
        """End the thread and wait for that; the results handed out are good no longer.

        Returns:
            Whether the buffers are free. They are not where the thread itself collects the
            garbage that this iterator was part of.
        """
        while self._held:
            self._held.popleft().let_go()
        self._stop()
        return not self._thread.is_alive()


def _work(
    produce: Callable[[Iterator[B]], Iterator[tuple[B, T]]],
    free: "SimpleQueue[B | None]",
    ready: "SimpleQueue[tuple[B, T] | BaseException | None]",
    stop: threading.Event,
) -> None:
    """Run in the thread. It knows nothing of the iterator, so that the iterator can be garbage."""

    def free_buffers() -> Iterator[B]:
        while (buffer := free.get()) is not None and not stop.is_set():
            yield buffer

    try:
        for result in produce(free_buffers()):
            ready.put(result)
        ready.put(None)
    except BaseException as error:
        ready.put(error)


def _stop(thread: threading.Thread, free: "SimpleQueue[B | None]", stop: threading.Event) -> None:
    """End the thread."""
    stop.set()
    free.put(None)
    if thread is not threading.current_thread():  # where the garbage collector may run
        thread.join()
