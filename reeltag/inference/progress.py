"""One bar for what several processes score together."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from reeltag.core.console import progress_bar, say
from reeltag.pipeline.events import Event, format_event
from reeltag.pipeline.steps import Step


class ShareBar:
    """A bar of the items that are scored, which moves when a share is done.

    Args:
        left: items of each share that are to be scored, by the name of its step's folder.
        item_name: of several items.
        total: items in all.
    """

    def __init__(self, left: Mapping[str, int], item_name: str, total: int) -> None:
        self._left, self._item_name = left, item_name
        self._bar, self._begun, self._new = progress_bar(), time.monotonic(), 0
        done = total - sum(left.values())
        self._task = self._bar.add_task("predicting", total=total, completed=done)
        if done:
            say(f"going on after {done:,} of {total:,} {item_name}")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        self._bar.stop()

    def log(self, event: Event) -> None:
        """Move the bar by a share that is done; what went wrong gets a line above it."""
        if event.kind == "done" and event.step is not None:
            self._new += self._left[event.step.folder_name]
            self._bar.advance(self._task, self._left[event.step.folder_name])
        elif event.kind in ("failed", "retrying", "waiting"):
            say(format_event(event))

    def show(self, running: Mapping[str, tuple[Step, float]], total: int, done: int) -> None:
        """Show how many processes are at work, and how fast they are together."""
        seconds = time.monotonic() - self._begun
        speed = f", {self._new / seconds:,.0f} {self._item_name}/s" if self._new else ""
        words = f"predicting, {done} of {total} shares, {len(running)} running{speed}"
        self._bar.update(self._task, description=words)
