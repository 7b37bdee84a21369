"""What several workers are at, on one terminal: a line each; in a log, a word now and then."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reeltag.core.console import STDERR, say
from reeltag.pipeline.amounts import duration
from reeltag.pipeline.events import Event, told
from reeltag.pipeline.orders import log_of
from reeltag.pipeline.steps import Step

EVERY = 30.0  # seconds between two words of a worker in a log
_TAIL = 4096  # bytes in which the last line of a log is looked for


class Display:
    """Shows events as lines, and below them, on a terminal, what each worker said last.

    Args:
        root: folder of results, with the logs of steps below.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._live = Live(console=STDERR, auto_refresh=False, transient=True)
        self._said: dict[str, tuple[float, str]] = {}

    def __enter__(self) -> "Display":
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

    def tell(self, event: Event) -> None:
        """Write a line above the workers'."""
        if line := told(event):
            say(line)

    def show(self, at_work: Mapping[str, tuple[Step, float]], total: int, done: int) -> None:
        """Bring the workers' lines up to date.

        Args:
            at_work: the step of each worker that has one, and since when (time.monotonic).
            total: steps of the whole graph.
            done: of these, how many are there.
        """
        if self._live.is_started:
            self._live.update(self._lines(at_work, total, done), refresh=True)
            return
        now = time.monotonic()
        for place, (step, since) in at_work.items():
            last, before = self._said.get(place, (since, ""))
            if now - last >= EVERY:
                words = last_line(log_of(step, self.root))
                self._said[place] = now, words
                if words and words != before:
                    say(f"{place}, {step.name}: {words}")

    def _lines(self, at_work: Mapping[str, tuple[Step, float]], total: int, done: int) -> Group:
        table = Table.grid(padding=(0, 2))
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for place in sorted(at_work):
            step, since = at_work[place]
            words = last_line(log_of(step, self.root))
            seconds = duration(time.monotonic() - since)
            table.add_row(Text(place, "bold"), Text(step.name), Text(seconds, "dim"), Text(words))
        return Group(Text(f"{done} of {total} steps, {len(at_work)} at work", "dim"), table)


def last_line(log: Path) -> str:
    """Return the last line of a log with something in it; "" where there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    kept = (line.strip() for line in reversed(lines))
    return next((line for line in kept if line and not line.startswith("-- ")), "")
