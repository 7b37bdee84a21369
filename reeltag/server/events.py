"""Changes of jobs as server-sent events: from threads that make them to pages that wait."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import asdict
from weakref import WeakSet

from reeltag.server.errors import RequestError
from reeltag.server.views.overview import JobView

HEARTBEAT_S = 15.0  # tells both sides that the other is there
_PAUSE_S = 0.1  # changes that come faster are joined: the last one of each job counts


class _Listener:
    """What a page has not been sent yet."""

    def __init__(self, first: Iterable[JobView]) -> None:
        self.loop, self.news = asyncio.get_running_loop(), asyncio.Event()
        self.pending: dict[str, JobView] = {of.key: of for of in first}
        if self.pending:
            self.news.set()


class JobEvents:
    """Passes changes of jobs on to everyone who listens.

    Args:
        most: pages that listen at a time.
    """

    def __init__(self, most: int = 256) -> None:
        # weakly: a stream that is thrown away before it has begun does not say so
        self._lock, self._listeners = threading.Lock(), WeakSet[_Listener]()
        self._most, self._is_closed = most, False

    def publish(self, job: JobView) -> None:
        """Pass on a change of a job; from any thread, and without waiting."""
        with self._lock:
            for of in self._listeners:
                of.pending[job.key] = job
                self._wake(of)

    def close(self) -> None:
        """Let all listeners end."""
        with self._lock:
            self._is_closed = True
            for of in self._listeners:
                self._wake(of)

    def listen(self, first: Iterable[JobView]) -> AsyncIterator[bytes]:
        """Return the events for a page, as bytes of `text/event-stream`.

        Args:
            first: jobs that it is told of at once.

        Raises:
            RequestError: too many pages listen.
        """
        listener = _Listener(first)
        with self._lock:
            if len(self._listeners) >= self._most:
                raise RequestError(503, "too many pages listen", hint="Close some of them.")
            self._listeners.add(listener)
        return self._stream(listener)

    async def _stream(self, listener: _Listener) -> AsyncIterator[bytes]:
        try:
            yield b": jobs\n\n"
            while not self._is_closed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(listener.news.wait(), HEARTBEAT_S)
                with self._lock:
                    listener.news.clear()
                    jobs, listener.pending = listener.pending, {}
                if jobs:
                    yield b"".join(_event(of) for of in jobs.values())
                    await asyncio.sleep(_PAUSE_S)
                elif not self._is_closed:
                    yield b": still here\n\n"
        finally:
            with self._lock:
                self._listeners.discard(listener)

    @staticmethod
    def _wake(listener: _Listener) -> None:
        with suppress(RuntimeError):  # its loop has ended
            listener.loop.call_soon_threadsafe(listener.news.set)


def _event(job: JobView) -> bytes:
    return f"data: {json.dumps(asdict(job), ensure_ascii=False)}\n\n".encode()
