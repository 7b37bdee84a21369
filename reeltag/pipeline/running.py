"""Steps run: each once, inputs first, what is there already not at all."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError, ReeltagError
from reeltag.pipeline.amounts import duration, size
from reeltag.pipeline.keys import resolved
from reeltag.pipeline.locks import attempted, holder
from reeltag.pipeline.steps import Node, Source, Step, as_steps, ordered
from reeltag.pipeline.store import (
    begin,
    finish,
    folders,
    is_done,
    lock_of,
    part_of,
)

Kind = Literal["there", "begun", "resumed", "done", "failed", "waiting"]
PATIENCE = 0.5  # seconds between two looks at what another process is making


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened on the way to the goals.

    Attributes:
        kind: "begun" and "resumed": a step; "done", "failed": the same; "waiting": all that could
            be done is being done by others; "there": at the start, what needs no work.
        step: which; None for "there".
        number: of the step in the order of work, from 1; for "there", steps that are there.
        total: steps of the whole graph.
        seconds: that the step took, if "done" with all its sessions.
        elapsed: seconds since the run began.
        bytes: of the result.
        words: who is waited for, where an unfinished step lies, or how many sessions it took.
    """

    kind: Kind
    step: Step | None = None
    number: int = 0
    total: int = 0
    seconds: float = 0.0
    elapsed: float = 0.0
    bytes: int = 0
    words: str = ""


class FailedStepsError(ReeltagError):
    """Steps failed, and all that did not depend on them was made."""


def run(
    goals: Step | Iterable[Step],
    root: Path,
    on_event: Callable[[Event], None] | None = None,
    *,
    keep_going: bool = False,
) -> None:
    """Make the goals, and of all that they need what is missing, under `root`.

    Safe to call again, whatever happened: what is finished is not done again, what was begun goes
    on. Several processes may do so at once (on one GPU each, say): they share the steps out.

    Args:
        goals: a step, or several.
        root: folder for all results; made where it is missing.
        on_event: told what happens; None: `tell`, lines on stderr.
        keep_going: after a step has failed, make what does not depend on it.

    Raises:
        FailedStepsError: with `keep_going`, at the end; it names them all.
        ConfigError: called on several ranks (torchrun).
        DataError: data that the steps need are not there.
        Exception: whatever a step raises, with a note that names the step and how to go on.
    """
    _refuse_ranks()
    goals = as_steps(goals)
    steps = [node for node in ordered(goals) if isinstance(node, Step)]
    numbers = {step.folder_name: number for number, step in enumerate(steps, start=1)}
    work = _Work(root, numbers, on_event or tell)
    todo = missing(goals, root)
    work.tell("there", number=sum(is_done(step, root) for step in steps))
    failed: dict[str, str] = {}
    while ready := [s for s in todo if s.folder_name not in failed and _can_begin(s, root)]:
        for step in ready:
            try:
                if work.attempt(step):
                    break
            except Exception as error:
                if not keep_going:
                    raise
                failed[step.folder_name] = f"{step.name} ({type(error).__name__}: {error})"
                break
        else:
            work.wait(ready)
        todo = missing(goals, root)
    if failed:
        raise FailedStepsError(
            f"{len(failed)} of {len(steps)} steps failed: {', '.join(failed.values())}",
            hint="The same command tries them again.",
        )


def missing(goals: Step | Iterable[Step], root: Path) -> list[Step]:
    """Return the steps that must run for the goals to be there, inputs first.

    What only finished steps needed may be missing: it is not made again.

    Raises:
        DataError: data that one of them needs are not there.
    """
    found: dict[str, Step] = {}

    def visit(node: Node, user: str) -> None:
        if isinstance(node, Source) and not node.path.exists():
            raise DataError(f"is not there, but the step {user} needs it", where=node.path)
        if isinstance(node, Step) and node.folder_name not in found and not is_done(node, root):
            for before in node.needs:
                visit(before, node.name)
            found[node.folder_name] = node

    for goal in as_steps(goals):
        visit(goal, "")
    return list(found.values())


def tell(event: Event) -> None:
    """Say on stderr what happened."""
    name = event.step.name if event.step else ""
    head = f"[{event.number}/{event.total}] {name}"
    if event.kind == "there" and event.number:
        say(f"{event.number} of {event.total} steps are there already.")
    elif event.kind in ("begun", "resumed"):
        say(f"{head} ..." if event.kind == "begun" else f"{head} goes on ...")
    elif event.kind == "done":
        took, size_ = duration(event.seconds), size(event.bytes)
        took = f"{took} {event.words}" if event.words else took
        say(f"{head} done in {took}, {size_} ({duration(event.elapsed)} since the start)")
    elif event.kind == "waiting":
        say(f"{head}: waiting for {event.words}")
    elif event.kind == "failed":
        say(f"{head} stopped after {duration(event.seconds)}; {event.words}")


@dataclass(frozen=True)
class _Work:
    """One call of `run`."""

    root: Path
    numbers: Mapping[str, int]
    on_event: Callable[[Event], None]
    start: float = field(default_factory=time.monotonic)
    waited: set[str] = field(default_factory=set)

    def tell(
        self,
        kind: Kind,
        step: Step | None = None,
        *,
        number: int = 0,
        seconds: float = 0.0,
        bytes_: int = 0,
        words: str = "",
    ) -> None:
        event = Event(
            kind=kind,
            step=step,
            number=self.numbers[step.folder_name] if step else number,
            total=len(self.numbers),
            seconds=seconds,
            elapsed=time.monotonic() - self.start,
            bytes=bytes_,
            words=words,
        )
        self.on_event(event)

    def attempt(self, step: Step) -> bool:
        """Make a step, unless another process is at it; return whether it is there now."""
        with attempted(lock_of(step, self.root)) as ours:
            if ours and not is_done(step, self.root):
                self._make(step)
            return ours

    def wait(self, steps: Iterable[Step]) -> None:
        """Wait a moment, and say once for each step who is at it."""
        for step in steps:
            who = holder(lock_of(step, self.root))
            if who and step.folder_name not in self.waited:
                self.waited.add(step.folder_name)
                self.tell("waiting", step, words=who)
        time.sleep(PATIENCE)

    def _make(self, step: Step) -> None:
        part, place, record = part_of(step, self.root), folders(self.root), begin(step, self.root)
        self.tell("begun" if record.sessions == 1 else "resumed", step)
        begun = time.monotonic()
        try:
            if not record.finished:
                inputs = [given.located(place) for given in step.inputs]
                options = {name: resolved(value, place) for name, value in step.config.items()}
                step.fn(part, *inputs, **options, **step.means)
            record = finish(step, self.root, record, time.monotonic() - begun)
        except BaseException as error:
            words = f"what it has made is kept in {part}: the same command goes on from there."
            error.add_note(f"in step {step.name}; {words}")
            self.tell("failed", step, seconds=time.monotonic() - begun, words=words)
            raise
        words = f"in {record.sessions} sessions" if record.sessions > 1 else ""
        self.tell("done", step, seconds=record.seconds, bytes_=record.bytes, words=words)


def _can_begin(step: Step, root: Path) -> bool:
    return all(is_done(before, root) for before in step.needs)


def _refuse_ranks() -> None:
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ConfigError(
            "steps are not run on the ranks of torchrun",
            hint="Start the command once for each GPU, with CUDA_VISIBLE_DEVICES=0, =1 and so on "
            "and the same folder: the processes share the steps out.",
        )
