"""Steps shared out among several workers: what is ready goes to who is free.

    with Local(workers=4) as engine: ...                  # reeltag.pipeline.local
    run_fleet(goals, root, engine, retries=1, keep_going=True)

The workers hold the locks: several fleets, and single processes, may work in one folder.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reeltag.core.console import say
from reeltag.core.errors import ReeltagError
from reeltag.core.files import make_folder
from reeltag.core.interrupt import StopRequest, listening_for_stop
from reeltag.pipeline.events import Event, Kind, Narrator
from reeltag.pipeline.failures import FailedStepsError, Failures, listed
from reeltag.pipeline.making import kept
from reeltag.pipeline.orders import LOGS, Order, StepReport, order
from reeltag.pipeline.running import PATIENCE, missing, refuse_ranks
from reeltag.pipeline.steps import Source, Step, as_steps, ordered
from reeltag.pipeline.store import is_done
from reeltag.pipeline.terminal import Display

Said = tuple[str, StepReport]  # by whom, what


class Engine(Protocol):
    """Workers, wherever they are."""

    @property
    def places(self) -> Sequence[str]:
        """Names of the workers that there are just now."""

    def check(self, root: Path, sources: Sequence[Path]) -> None:
        """Raise an error where a worker does not see the folder of results, or the data."""

    def begin(self, place: str, order: Order) -> None:
        """Let a worker make a step."""

    def reports(self, seconds: float) -> list[Said]:
        """Wait up to so long for somebody to say something, and return that."""

    def interrupt(self) -> None:
        """Do to all what Ctrl-C does."""

    def kill(self) -> None:
        """End all at once."""

    def close(self) -> None:
        """End all, who are idle."""


def run_fleet(
    goals: Step | Iterable[Step],
    root: Path,
    engine: Engine,
    on_event: Callable[[Event], None] | None = None,
    *,
    keep_going: bool = False,
    retries: int = 0,
) -> None:
    """Make the goals as `reeltag.pipeline.running.run` does, by the workers of an engine.

    After a step has failed for good nothing new begins, but what is being made is finished. On
    Ctrl-C every worker is stopped as if it had got it itself; a second one ends all at once.

    Args:
        goals: a step, or several.
        root: folder for all results, and for `logs/`, where each step's words are kept.
        engine: the workers; the caller closes it.
        on_event: told what happens; None: lines on stderr, and what each worker is at.
        keep_going: after a step has failed, make all that does not depend on it.
        retries: how often a step that failed is gone on with, by another worker if one is free.

    Raises:
        FailedStepsError: steps failed, or no worker is left; it names them, and how often each
            was tried.
        ConfigError: called on several ranks (torchrun), or a step cannot be sent to a process.
        DataError: data that the steps need are not there.
    """
    refuse_ranks()
    goals = as_steps(goals)
    nodes = ordered(goals)
    todo = missing(goals, root)
    make_folder(root)
    if todo:
        engine.check(root, [path for of in nodes if isinstance(of, Source) for path in of.paths])
    steps = [node for node in nodes if isinstance(node, Step)]
    with Display(root) as display:
        fleet = _Fleet(goals, steps, root, engine, on_event or display.tell, Failures(retries))
        stop = StopRequest("training step or batch of every worker")
        try:
            with listening_for_stop(stop):
                fleet.work(stop, keep_going, display)
        except KeyboardInterrupt:
            engine.kill()
            raise
    left = missing(goals, root)
    left = [step for step in left if step.folder_name not in fleet.made]
    if stop.asked and left:
        say(f"stopped; the same command goes on ({len(left)} of {len(steps)} steps are to do)")
        raise KeyboardInterrupt
    if left:
        raise fleet.error(left)


@dataclass
class _Job:
    """A step at work."""

    step: Step
    since: float
    begun: bool = False


class _Fleet:
    """One call of `run_fleet`."""

    def __init__(
        self,
        goals: Sequence[Step],
        steps: Sequence[Step],
        root: Path,
        engine: Engine,
        on_event: Callable[[Event], None],
        failures: Failures,
    ) -> None:
        self.goals, self.steps, self.root, self.engine = goals, steps, root, engine
        self.tell, self.failures = Narrator(steps, on_event), failures
        self.jobs: dict[str, _Job] = {}  # by place
        self.made: set[str] = set()
        self.others: dict[str, float] = {}  # taken by other processes: when to ask again
        self.told: set[str] = set()  # of these, those that were told of
        self.failed_at: dict[str, set[str]] = {}  # places, by step

    def work(self, stop: StopRequest, keep_going: bool, display: Display) -> None:
        """Share out what is ready until nothing is at work and nothing can begin."""
        self.tell("there", number=sum(is_done(step, self.root) for step in self.steps))
        interrupted = False
        while True:
            closing = stop.asked or (self.failures.given_up and not keep_going)
            if stop.asked and not interrupted:
                interrupted = True
                self.engine.interrupt()
            waiting = False if closing else self.share_out()
            if not self.jobs and not waiting:
                return
            for place, report in self.engine.reports(PATIENCE):
                self.take(place, report, stopping=stop.asked)
            at_work = {place: (job.step, job.since) for place, job in self.jobs.items()}
            display.show(at_work, len(self.steps), self._count_done())

    def share_out(self) -> bool:
        """Give the free workers what is ready; return whether something is being waited for."""
        begun = {job.step.folder_name for job in self.jobs.values()}
        todo = [step for step in missing(self.goals, self.root) if self._is_open(step, begun)]
        ready = [step for step in todo if all(self._is_there(before) for before in step.needs)]
        free = [place for place in self.engine.places if place not in self.jobs]
        if ready and not self.engine.places:
            return False
        now = time.monotonic()
        for step in ready:
            if self.others.get(step.folder_name, 0.0) > now:
                continue
            if not free:
                break
            failed = self.failed_at.get(step.folder_name, set())
            place = min(free, key=lambda name: (name in failed, self.engine.places.index(name)))
            free.remove(place)
            self.jobs[place] = _Job(step, now)
            self.engine.begin(place, order(step, self.root))
        return bool(ready)

    def take(self, place: str, report: StepReport, *, stopping: bool) -> None:
        """Note what a worker says, and tell it."""
        job = self.jobs.get(place)
        if job is None or job.step.folder_name != report.step:
            return
        step, name = job.step, report.step
        if report.answer in ("begun", "resumed"):
            kind: Kind = "begun" if report.answer == "begun" else "resumed"
            job.begun = True
            self.tell(kind, step, place=place)
            return
        del self.jobs[place]
        seconds = report.seconds or time.monotonic() - job.since
        if report.answer in ("done", "there"):
            self.made.add(name)
            if report.answer == "done":
                size, words = report.bytes, report.words
                self.tell("done", step, place=place, seconds=seconds, bytes_=size, words=words)
        elif report.answer == "taken":
            self.others[name] = time.monotonic() + PATIENCE
            if name not in self.told:
                self.told.add(name)
                self.tell("waiting", step, words=report.words)
        elif stopping:
            words = kept(step, self.root) if job.begun else "it had not begun yet"
            self.tell("failed", step, place=place, seconds=seconds, words=words)
        else:
            self._failed(place, job, report, seconds)

    def _failed(self, place: str, job: _Job, report: StepReport, seconds: float) -> None:
        step = job.step
        why = report.words or "it was interrupted"
        self.failed_at.setdefault(step.folder_name, set()).add(place)
        if self.failures.add(step, why, hopeless=report.hopeless):
            self.tell("again", step, place=place, seconds=seconds, words=why)
            return
        words = f"{why} ({self.failures.tried(step)})"
        words += f"; {kept(step, self.root)}" if job.begun else ""
        self.tell("failed", step, place=place, seconds=seconds, words=words)

    def error(self, left: Sequence[Step]) -> ReeltagError:
        """Return what is raised at the end."""
        hint = f"{self.root / LOGS} holds what each said."
        if self.failures.given_up:
            return self.failures.error(self.steps, left, hint)
        names = listed([step.name for step in left])
        return FailedStepsError(f"no worker is left; not made: {names}", hint=hint)

    def _is_open(self, step: Step, begun: set[str]) -> bool:
        name = step.folder_name
        return name not in begun and name not in self.made and name not in self.failures.given_up

    def _is_there(self, node: object) -> bool:
        """Return whether an input is there; what another machine has made may not be seen yet."""
        if isinstance(node, Step) and node.folder_name in self.made:
            return True
        return not isinstance(node, Step) or is_done(node, self.root)

    def _count_done(self) -> int:
        return sum(step.folder_name in self.made or is_done(step, self.root) for step in self.steps)
