"""Scheduling: steps whose inputs are finished go to workers that are free.

    with closing(LocalEngine(workers=4)) as engine:       # reeltag.pipeline.local_engine
        run_on_workers(goals, root, engine, retries=1, keep_going=True)

The workers hold the locks: several schedulers, and single processes, may work in one folder.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reeltag.core.console import say
from reeltag.core.errors import ReeltagError
from reeltag.core.interrupt import StopRequest, listening_for_stop
from reeltag.core.writing import make_folder
from reeltag.pipeline.events import Event, EventReporter
from reeltag.pipeline.execution import resume_hint
from reeltag.pipeline.failures import FailedStepsError, Failures, format_names
from reeltag.pipeline.running import POLL_SECONDS, check_single_rank, missing
from reeltag.pipeline.steps import Source, Step, as_steps, ordered
from reeltag.pipeline.store import is_done
from reeltag.pipeline.tasks import LOGS, StepReport, Task, create_task
from reeltag.pipeline.terminal import Display, StepDisplay

WorkerReport = tuple[str, StepReport]  # name of the worker, its report


class Engine(Protocol):
    """Workers on one machine or on several."""

    @property
    def worker_names(self) -> Sequence[str]:
        """Names of the workers that are alive."""

    def check(self, root: Path, sources: Sequence[Path]) -> None:
        """Raise an error where a worker does not see the folder of results, or the data."""

    def begin(self, worker: str, task: Task) -> None:
        """Send a task to an idle worker."""

    def reports(self, seconds: float) -> list[WorkerReport]:
        """Return the new reports; wait at most so many seconds for the first."""

    def interrupt(self) -> None:
        """Send SIGINT to all workers."""

    def kill(self) -> None:
        """Kill all workers."""

    def close(self) -> None:
        """End all workers, which are idle."""


def run_on_workers(
    goals: Step | Iterable[Step],
    root: Path,
    engine: Engine,
    on_event: Callable[[Event], None] | None = None,
    *,
    keep_going: bool = False,
    retries: int = 0,
    display: StepDisplay | None = None,
) -> None:
    """Run the goals as `reeltag.pipeline.running.run` does, on the workers of an engine.

    After a step has failed for good no other begins, but those that are running are finished. On
    Ctrl-C every worker is interrupted; a second one kills them.

    Args:
        goals: one step or several.
        root: folder for all results, and for `logs/`, a file per step.
        engine: the workers; the caller closes it.
        on_event: called with each event; None: log lines on stderr, and show what the workers do.
        keep_going: after a step has failed, run all that does not depend on it.
        retries: how often a failed step is resumed, by another worker if one is free.
        display: shows events, and what the workers do; None: lines, and one of each worker.

    Raises:
        FailedStepsError: steps failed, or no worker is left; it names them, and how often each
            was tried.
        ConfigError: called on several ranks (torchrun), or a step cannot be sent to a process.
        DataError: data that the steps need are missing.
    """
    check_single_rank()
    goals = as_steps(goals)
    nodes = ordered(goals)
    todo = missing(goals, root)
    make_folder(root)
    if todo:
        engine.check(root, [path for of in nodes if isinstance(of, Source) for path in of.paths])
    steps = [node for node in nodes if isinstance(node, Step)]
    with display or Display(root) as shown:
        reporter = EventReporter(steps, on_event or shown.log)
        scheduler = _Scheduler(goals, steps, root, engine, reporter, Failures(retries))
        stop = StopRequest("training step or batch of every worker")
        try:
            with listening_for_stop(stop):
                scheduler.run(stop, keep_going, shown)
        except KeyboardInterrupt:
            engine.kill()
            raise
    left = missing(goals, root)
    left = [step for step in left if step.folder_name not in scheduler.finished]
    if stop.requested and left:
        say(f"stopped; the same command resumes ({len(left)} of {len(steps)} steps are to do)")
        raise KeyboardInterrupt
    if left:
        raise scheduler.error(left)


@dataclass
class _Job:
    """A step that a worker runs."""

    step: Step
    since: float
    started: bool = False


class _Scheduler:
    """One call of `run_on_workers`."""

    def __init__(
        self,
        goals: Sequence[Step],
        steps: Sequence[Step],
        root: Path,
        engine: Engine,
        report: EventReporter,
        failures: Failures,
    ) -> None:
        self.goals, self.steps, self.root, self.engine = goals, steps, root, engine
        self.report, self.failures = report, failures
        self.jobs: dict[str, _Job] = {}  # by worker
        self.finished: set[str] = set()
        self.locked: dict[str, float] = {}  # by other processes: when to try again
        self.logged: set[str] = set()  # those of them that were logged
        self.failed_on: dict[str, set[str]] = {}  # workers, by step

    def run(self, stop: StopRequest, keep_going: bool, display: StepDisplay) -> None:
        """Assign steps until none is running and none can begin."""
        self.report("present", number=sum(is_done(step, self.root) for step in self.steps))
        interrupted = False
        while True:
            closing = stop.requested or (self.failures.given_up and not keep_going)
            if stop.requested and not interrupted:
                interrupted = True
                self.engine.interrupt()
            waiting = False if closing else self.assign()
            if not self.jobs and not waiting:
                return
            for worker, report in self.engine.reports(POLL_SECONDS):
                self.handle(worker, report, stopping=stop.requested)
            running = {worker: (job.step, job.since) for worker, job in self.jobs.items()}
            display.show(running, len(self.steps), self._count_done())

    def assign(self) -> bool:
        """Send steps that are ready to idle workers; return whether there are steps to wait for."""
        closed = {job.step.folder_name for job in self.jobs.values()}
        closed |= self.finished | self.failures.given_up.keys()
        todo = [s for s in missing(self.goals, self.root) if s.folder_name not in closed]
        ready = [step for step in todo if all(self._is_there(before) for before in step.needs)]
        free = [worker for worker in self.engine.worker_names if worker not in self.jobs]
        if ready and not self.engine.worker_names:
            return False
        now = time.monotonic()
        for step in ready:
            if self.locked.get(step.folder_name, 0.0) > now:
                continue
            if not free:
                break
            failed = self.failed_on.get(step.folder_name, set())
            names = self.engine.worker_names
            worker = min(free, key=lambda name: (name in failed, names.index(name)))
            free.remove(worker)
            self.jobs[worker] = _Job(step, now)
            self.engine.begin(worker, create_task(step, self.root))
        return bool(ready)

    def handle(self, worker: str, report: StepReport, *, stopping: bool) -> None:
        """Update the state by a worker's report, and report the event."""
        job = self.jobs.get(worker)
        if job is None or job.step.folder_name != report.step:
            return
        step, name = job.step, report.step
        if report.status in ("started", "resumed"):
            job.started = True
            self.report(report.status, step, worker=worker)
            return
        del self.jobs[worker]
        seconds = report.seconds or time.monotonic() - job.since
        if report.status in ("done", "present"):
            self.finished.add(name)
            if report.status == "done":
                size, message = report.bytes, report.message
                self.report(
                    "done", step, worker=worker, seconds=seconds, bytes_=size, message=message
                )
        elif report.status == "locked":
            self.locked[name] = time.monotonic() + POLL_SECONDS
            if name not in self.logged:
                self.logged.add(name)
                self.report("waiting", step, message=report.message)
        elif stopping:
            message = resume_hint(step, self.root) if job.started else "it had not begun yet"
            self.report("failed", step, worker=worker, seconds=seconds, message=message)
        else:
            self._failed(worker, job, report, seconds)

    def _failed(self, worker: str, job: _Job, report: StepReport, seconds: float) -> None:
        step = job.step
        why = report.message or "it was interrupted"
        self.failed_on.setdefault(step.folder_name, set()).add(worker)
        if self.failures.add(step, why, retryable=report.retryable):
            self.report("retrying", step, worker=worker, seconds=seconds, message=why)
            return
        message = f"{why} ({self.failures.format_tries(step)})"
        message += f"; {resume_hint(step, self.root)}" if job.started else ""
        self.report("failed", step, worker=worker, seconds=seconds, message=message)

    def error(self, left: Sequence[Step]) -> ReeltagError:
        """Return the error to raise at the end."""
        hint = f"{self.root / LOGS} has the output of each step."
        if self.failures.given_up:
            return self.failures.error(self.steps, left, hint)
        names = format_names([step.name for step in left])
        return FailedStepsError(f"no worker is left; not run: {names}", hint=hint)

    def _is_there(self, node: object) -> bool:
        """Return whether an input is finished, seen from here or by the worker that ran it."""
        if isinstance(node, Step) and node.folder_name in self.finished:
            return True
        return not isinstance(node, Step) or is_done(node, self.root)

    def _count_done(self) -> int:
        return sum(
            step.folder_name in self.finished or is_done(step, self.root) for step in self.steps
        )
