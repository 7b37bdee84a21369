"""Runs steps in this process: each once, inputs first, finished ones not at all."""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.locks import lock_holder, try_lock
from reeltag.pipeline.events import Event, EventReporter, log_event
from reeltag.pipeline.execution import execute, format_sessions, resume_hint
from reeltag.pipeline.failures import Failures, format_error, is_retryable
from reeltag.pipeline.steps import Node, Source, Step, as_steps, ordered
from reeltag.pipeline.store import Record, is_done, lock_of

POLL_SECONDS = 0.5  # seconds between two looks at a step that another process runs


def run(
    goals: Step | Iterable[Step],
    root: Path,
    on_event: Callable[[Event], None] | None = None,
    *,
    keep_going: bool = False,
    retries: int = 0,
) -> None:
    """Run the goals, and those of the steps they need that are missing under `root`.

    It may be called again, whatever happened: finished steps are not run again, others resume.
    Several processes may call it at once (on one GPU each, say): each step is run by one of them.

    Args:
        goals: one step or several.
        root: folder for all results; created where it is missing.
        on_event: called with each event; None: `log_event`, lines on stderr.
        keep_going: after a step has failed, run what does not depend on it.
        retries: how often a failed step is resumed at once.

    Raises:
        FailedStepsError: with `keep_going`, at the end; it names them all.
        ConfigError: called on several ranks (torchrun).
        DataError: data that the steps need are missing.
        Exception: any error of a step, with a note that names the step and how to resume.
    """
    check_single_rank()
    goals = as_steps(goals)
    steps = [node for node in ordered(goals) if isinstance(node, Step)]
    failures = Failures(retries)
    current = _Run(root, EventReporter(steps, on_event or log_event), failures)
    todo = missing(goals, root)
    current.report("present", number=sum(is_done(step, root) for step in steps))
    gone = failures.given_up
    while ready := [s for s in todo if s.folder_name not in gone and _can_begin(s, root)]:
        for step in ready:
            tries = failures.tries[step.folder_name]
            try:
                if current.attempt(step):
                    break
            except Exception:
                counted = failures.tries[step.folder_name] > tries  # else not the step's own error
                if not counted or (step.folder_name in gone and not keep_going):
                    raise
                break
        else:
            current.wait(ready)
        todo = missing(goals, root)
    if gone:
        raise failures.error(steps, todo)


def missing(goals: Step | Iterable[Step], root: Path) -> list[Step]:
    """Return the steps that must run for the goals to be finished, inputs first.

    Inputs of finished steps alone may be missing: they are not run again.

    Raises DataError if data that one of them needs are missing.
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
class _Run:
    """One call of `run`."""

    root: Path
    report: EventReporter
    failures: Failures
    waited: set[str] = field(default_factory=set)

    def attempt(self, step: Step) -> bool:
        """Run a step unless another process does; return whether it is finished now."""
        with try_lock(lock_of(step, self.root)) as ours:
            if ours and not is_done(step, self.root):
                self._execute(step)
            return ours

    def wait(self, steps: Iterable[Step]) -> None:
        """Wait a moment, and report once for each step which process runs it."""
        for step in steps:
            holder = lock_holder(lock_of(step, self.root))
            if holder and step.folder_name not in self.waited:
                self.waited.add(step.folder_name)
                self.report("waiting", step, message=holder)
        time.sleep(POLL_SECONDS)

    def _execute(self, step: Step) -> None:
        started = time.monotonic()

        def on_start(record: Record) -> None:
            self.report("started" if record.sessions == 1 else "resumed", step)

        try:
            record = execute(step, self.root, on_start)
        except BaseException as error:
            seconds, message = time.monotonic() - started, f"{resume_hint(step, self.root)}."
            if not isinstance(error, Exception):
                self.report("failed", step, seconds=seconds, message=message)
            elif self.failures.add(step, format_error(error), retryable=is_retryable(error)):
                self.report("retrying", step, seconds=seconds, message=format_error(error))
            else:
                tried = self.failures.format_tries(step)
                message = message if tried == "tried once" else f"{tried}; {message}"
                self.report("failed", step, seconds=seconds, message=message)
            raise
        message = format_sessions(record)
        self.report("done", step, seconds=record.seconds, bytes_=record.bytes, message=message)


def _can_begin(step: Step, root: Path) -> bool:
    return all(is_done(before, root) for before in step.needs)


def check_single_rank() -> None:
    """Raise ConfigError on a rank of torchrun."""
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ConfigError(
            "steps are not run on the ranks of torchrun",
            hint="Start the command alone, with --workers N. Or start it once for each GPU, with "
            "CUDA_VISIBLE_DEVICES=0, =1 and so on and the same folder: each step is run "
            "by one of the processes.",
        )
