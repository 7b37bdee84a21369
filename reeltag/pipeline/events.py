"""What happens on the way to the goals, and how it is said on stderr."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from reeltag.core.console import say
from reeltag.pipeline.amounts import duration, size
from reeltag.pipeline.steps import Step

Kind = Literal["there", "begun", "resumed", "done", "again", "failed", "waiting"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened on the way to the goals.

    Attributes:
        kind: "begun" and "resumed": a step; "done", "failed": the same; "again": it failed and will
            be tried again; "waiting": all that could be done is being done by others; "there": at
            the start, what needs no work.
        step: which; None for "there".
        number: of the step in the order of work, from 1; for "there", steps that are there.
        total: steps of the whole graph.
        seconds: that the step took, if "done" with all its sessions.
        elapsed: seconds since the run began.
        bytes: of the result.
        words: who is waited for, why it failed and where it lies, or how many sessions it took.
        place: which worker made it, where there are several.
    """

    kind: Kind
    step: Step | None = None
    number: int = 0
    total: int = 0
    seconds: float = 0.0
    elapsed: float = 0.0
    bytes: int = 0
    words: str = ""
    place: str = ""


class Narrator:
    """Tells of a run: numbers its steps, and looks at the clock.

    Args:
        steps: of the whole graph, in the order of work.
        on_event: told everything.
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
        words: str = "",
        place: str = "",
    ) -> None:
        """Tell an event; arguments as the attributes of `Event`."""
        event = Event(
            kind=kind,
            step=step,
            number=self._numbers[step.folder_name] if step else number,
            total=len(self._numbers),
            seconds=seconds,
            elapsed=time.monotonic() - self._start,
            bytes=bytes_,
            words=words,
            place=place,
        )
        self._on_event(event)


def told(event: Event) -> str:
    """Return what happened in a line; "" where it is not worth one."""
    name = event.step.name if event.step else ""
    head = f"[{event.number}/{event.total}] {name}" + (f" on {event.place}" if event.place else "")
    if event.kind == "there":
        return f"{event.number} of {event.total} steps are there already." if event.number else ""
    if event.kind in ("begun", "resumed"):
        return f"{head} ..." if event.kind == "begun" else f"{head} goes on ..."
    if event.kind == "done":
        took = f"{duration(event.seconds)} {event.words}".rstrip()
        since = duration(event.elapsed)
        return f"{head} done in {took}, {size(event.bytes)} ({since} since the start)"
    if event.kind == "waiting":
        return f"{head}: waiting for {event.words}"
    if event.kind == "again":
        return f"{head} failed after {duration(event.seconds)}: {event.words}; it is tried again"
    return f"{head} stopped after {duration(event.seconds)}; {event.words}"


def tell(event: Event) -> None:
    """Say on stderr what happened."""
    if line := told(event):
        say(line)
