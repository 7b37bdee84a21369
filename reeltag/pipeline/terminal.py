"""Progress of several workers: a line each on a terminal; in a log, a line now and then."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reeltag.core.console import STDERR, say
from reeltag.core.formatting import format_duration
from reeltag.pipeline.events import Event, format_event
from reeltag.pipeline.steps import Step
from reeltag.pipeline.tasks import log_of

EVERY = 30.0  # seconds between two lines of a worker in a log
_TAIL = 4096  # bytes in which the last line of a log is looked for


class StepDisplay(AbstractContextManager["StepDisplay"], Protocol):
    """Shows how far a run on workers is, within a block."""

    def log(self, event: Event) -> None:
        """Take an event."""

    def show(self, running: Mapping[str, tuple[Step, float]], total: int, done: int) -> None:
        """Update what the workers do, as `Display.show`."""


class Display:
    """Shows events as lines, and on a terminal, below them, the last output of each worker.

    Args:
        root: folder of results, with the logs of steps below.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._live = Live(console=STDERR, auto_refresh=False, transient=True)
        self._last: dict[str, tuple[float, str]] = {}  # when, line; by worker

    def __enter__(self) -> Self:
        if STDERR.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def log(self, event: Event) -> None:
        """Write a line above those of the workers."""
        if line := format_event(event):
            say(line)

    def show(self, running: Mapping[str, tuple[Step, float]], total: int, done: int) -> None:
        """Update the lines of the workers.

        Args:
            running: by worker, its step and since when it runs (time.monotonic).
            total: steps of the whole graph.
            done: how many of them are finished.
        """
        if self._live.is_started:
            self._live.update(self._lines(running, total, done), refresh=True)
            return
        now = time.monotonic()
        for worker, (step, since) in running.items():
            last, before = self._last.get(worker, (since, ""))
            if now - last >= EVERY:
                line = last_line(log_of(step, self.root))
                self._last[worker] = now, line
                if line and line != before:
                    say(f"{worker}, {step.name}: {line}")

    def _lines(self, running: Mapping[str, tuple[Step, float]], total: int, done: int) -> Group:
        table = Table.grid(padding=(0, 2))
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for worker in sorted(running):
            step, since = running[worker]
            line = last_line(log_of(step, self.root))
            seconds = format_duration(time.monotonic() - since)
            table.add_row(Text(worker, "bold"), Text(step.name), Text(seconds, "dim"), Text(line))
        return Group(Text(f"{done} of {total} steps done, {len(running)} running", "dim"), table)


def last_line(log: Path) -> str:
    """Return the last line of a log that is not empty; "" where there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    stripped = (line.strip() for line in reversed(lines))
    return next((line for line in stripped if line and not line.startswith("-- ")), "")
