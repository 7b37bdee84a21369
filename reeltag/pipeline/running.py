"""Steps run: each once, inputs first, what is there already not at all."""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from reeltag.core.errors import ConfigError, DataError
from reeltag.pipeline.events import Event, Narrator, tell
from reeltag.pipeline.failures import FailedStepsError, Failures, hopeless, reason
from reeltag.pipeline.locks import attempted, holder
from reeltag.pipeline.making import kept, make, sessions
from reeltag.pipeline.steps import Node, Source, Step, as_steps, ordered
from reeltag.pipeline.store import Record, is_done, lock_of

__all__ = ["PATIENCE", "Event", "FailedStepsError", "missing", "refuse_ranks", "run", "tell"]

PATIENCE = 0.5  # seconds between two looks at what another process is making


def run(
    goals: Step | Iterable[Step],
    root: Path,
    on_event: Callable[[Event], None] | None = None,
    *,
    keep_going: bool = False,
    retries: int = 0,
) -> None:
    """Make the goals, and of all that they need what is missing, under `root`.

    Safe to call again, whatever happened: what is finished is not done again, what was begun goes
    on. Several processes may do so at once (on one GPU each, say): they share the steps out.

    Args:
        goals: a step, or several.
        root: folder for all results; made where it is missing.
        on_event: told what happens; None: `tell`, lines on stderr.
        keep_going: after a step has failed, make what does not depend on it.
        retries: how often a step that failed is gone on with at once.

    Raises:
        FailedStepsError: with `keep_going`, at the end; it names them all.
        ConfigError: called on several ranks (torchrun).
        DataError: data that the steps need are not there.
        Exception: whatever a step raises, with a note that names the step and how to go on.
    """
    refuse_ranks()
    goals = as_steps(goals)
    steps = [node for node in ordered(goals) if isinstance(node, Step)]
    failures = Failures(retries)
    work = _Work(root, Narrator(steps, on_event or tell), failures)
    todo = missing(goals, root)
    work.tell("there", number=sum(is_done(step, root) for step in steps))
    gone = failures.given_up
    while ready := [s for s in todo if s.folder_name not in gone and _can_begin(s, root)]:
        for step in ready:
            tries = failures.tries[step.folder_name]
            try:
                if work.attempt(step):
                    break
            except Exception:
                noted = failures.tries[step.folder_name] > tries  # else it is not the step's fault
                if not noted or (step.folder_name in gone and not keep_going):
                    raise
                break
        else:
            work.wait(ready)
        todo = missing(goals, root)
    if gone:
        raise failures.error(steps, todo)


def missing(goals: Step | Iterable[Step], root: Path) -> list[Step]:
    """Return the steps that must run for the goals to be there, inputs first.

    What only finished steps needed may be missing: it is not made again.

    Raises:
        DataError: data that one of them needs are not there.
    """
    found: dict[str, Step] = {}

    def visit(node: Node, user: str) -> None:
        for path in node.paths if isinstance(node, Source) else ():
            if not path.exists():
                raise DataError(f"is not there, but the step {user} needs it", where=path)
        if isinstance(node, Step) and node.folder_name not in found and not is_done(node, root):
            for before in node.needs:
                visit(before, node.name)
            found[node.folder_name] = node

    for goal in as_steps(goals):
        visit(goal, "")
    return list(found.values())


@dataclass(frozen=True)
class _Work:
    """One call of `run`."""

    root: Path
    tell: Narrator
    failures: Failures
    waited: set[str] = field(default_factory=set)

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
        begun = time.monotonic()

        def on_begin(record: Record) -> None:
            self.tell("begun" if record.sessions == 1 else "resumed", step)

        try:
            record = make(step, self.root, on_begin)
        except BaseException as error:
            seconds, words = time.monotonic() - begun, f"{kept(step, self.root)}."
            if not isinstance(error, Exception):
                self.tell("failed", step, seconds=seconds, words=words)
            elif self.failures.add(step, reason(error), hopeless=hopeless(error)):
                self.tell("again", step, seconds=seconds, words=reason(error))
            else:
                tried = self.failures.tried(step)
                words = words if tried == "tried once" else f"{tried}; {words}"
                self.tell("failed", step, seconds=seconds, words=words)
            raise
        words = sessions(record)
        self.tell("done", step, seconds=record.seconds, bytes_=record.bytes, words=words)


def _can_begin(step: Step, root: Path) -> bool:
    return all(is_done(before, root) for before in step.needs)


def refuse_ranks() -> None:
    """Raise ConfigError on a rank of torchrun."""
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ConfigError(
            "steps are not run on the ranks of torchrun",
            hint="Start the command alone, with --workers N. Or start it once for each GPU, with "
            "CUDA_VISIBLE_DEVICES=0, =1 and so on and the same folder: the processes share the "
            "steps out.",
        )
