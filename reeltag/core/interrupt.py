"""Ctrl-C that lets the work at hand be finished and kept; a second one stops at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from reeltag.core.console import say
from reeltag.core.system.processes import INTERRUPTS


class StopRequest:
    """Whether a stop was requested.

    Args:
        work: what is finished before the stop, in a word.
    """

    def __init__(self, work: str) -> None:
        self.requested, self._work = False, work

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Take a signal: note it the first time, raise KeyboardInterrupt the second."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        say(f"stopping after this {self._work} (Ctrl-C again: at once) ...")


@contextmanager
def listening_for_stop(request: StopRequest) -> Iterator[None]:
    """Let `request` hear Ctrl-C within the block; outside the main thread nothing is heard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, request.hear) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
