"""Events of a run, and the lines that log them on stderr."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from reeltag.core.console import say
from reeltag.core.formatting import format_duration, format_size
from reeltag.pipeline.steps import Step

Kind = Literal["present", "started", "resumed", "done", "retrying", "failed", "waiting"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event of a run.

    Attributes:
        kind: "present": how many steps are finished at the start; "retrying": the step failed and
            will run again; "waiting": all steps that could run are run by other processes; the
            others: of one step.
        step: which; None for "present".
        number: of the step in the order of work, from 1; for "present", the finished steps.
        total: steps of the whole graph.
        seconds: that the step took, if "done" in all its sessions.
        elapsed: seconds since the run began.
        bytes: of the result.
        message: who is waited for, why it failed and where its folder is, or its sessions.
        worker: which ran it, where there are several.
    """

    kind: Kind
    step: Step | None = None
    number: int = 0
    total: int = 0
    seconds: float = 0.0
    elapsed: float = 0.0
    bytes: int = 0
    message: str = ""
    worker: str = ""


class EventReporter:
    """Creates the events of a run: adds the number of the step and the time elapsed.

    Args:
        steps: of the whole graph, in the order of work.
        on_event: called with each event.
    """

    def __init__(self, steps: Sequence[Step], on_event: Callable[[Event], None]) -> None:
        self._numbers = {step.folder_name: number for number, step in enumerate(steps, start=1)}
        self._on_event, self._start = on_event, time.monotonic()

    def __call__(
        self,
        kind: Kind,
        step: Step | None = None,
        *,
        number: int = 0,
        seconds: float = 0.0,
        bytes_: int = 0,
        message: str = "",
        worker: str = "",
    ) -> None:
        """Report an event; arguments as the attributes of `Event`."""
        event = Event(
            kind=kind,
            step=step,
            number=self._numbers[step.folder_name] if step else number,
            total=len(self._numbers),
            seconds=seconds,
            elapsed=time.monotonic() - self._start,
            bytes=bytes_,
            message=message,
            worker=worker,
        )
        self._on_event(event)


def format_event(event: Event) -> str:
    """Return an event as a line; "" for one that needs none."""
    name = event.step.name if event.step else ""
    worker = f" on {event.worker}" if event.worker else ""
    head = f"[{event.number}/{event.total}] {name}{worker}"
    if event.kind == "present":
        return f"{event.number} of {event.total} steps are done already." if event.number else ""
    if event.kind in ("started", "resumed"):
        return f"{head} ..." if event.kind == "started" else f"{head} resumed ..."
    if event.kind == "done":
        took = f"{format_duration(event.seconds)} {event.message}".rstrip()
        since = format_duration(event.elapsed)
        return f"{head} done in {took}, {format_size(event.bytes)} ({since} since the start)"
    if event.kind == "waiting":
        return f"{head}: waiting for {event.message}"
    after = format_duration(event.seconds)
    if event.kind == "retrying":
        return f"{head} failed after {after}: {event.message}; it is tried again"
    return f"{head} stopped after {after}; {event.message}"


def log_event(event: Event) -> None:
    """Log an event on stderr."""
    if line := format_event(event):
        say(line)
