"""Processes that run cases, seen from outside: started, asked, ended, started again."""

import multiprocessing
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.fuzz.target import Case, Target
from benchmarks.fuzz.targets import module_of, target_class
from benchmarks.fuzz.worker import ACCEPTED, BUSY, NUMBER, REFUSED, SLOTS, Finding, prepare, work

_START_SECONDS = 300.0
_LOOK_SECONDS = 1.0


class WorkerError(RuntimeError):
    """A process that runs cases cannot be started."""


class FuzzWorker:
    """One process of a target; a context manager that ends it.

    Args:
        name: of the target.
        shared: folder with its seed files.
        own: folder of the process, which is made empty at each start.
    """

    def __init__(self, name: str, shared: Path, own: Path) -> None:
        self.kind: type[Target] = target_class(name)
        self._name, self._shared, self._own = name, shared, own
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([module_of(name)])
        self._state = self._context.RawArray("q", SLOTS)
        self._process: multiprocessing.process.BaseProcess | None = None
        self.connection: Connection | None = None
        self.todo: Sequence[int] = ()
        self._seed = 0
        self._last = (-1, 0.0)  # number of the case, and since when
        self.restarts = 0

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self.end()

    def start(self) -> None:
        """Start the process; WorkerError where it does not come up."""
        shutil.rmtree(self._own, ignore_errors=True)
        self._own.mkdir(parents=True)
        ours, its = self._context.Pipe()
        arguments = (its, self._state, self._name, self._shared, self._own)
        self._process = self._context.Process(target=work, args=arguments, daemon=True)
        self._process.start()
        its.close()
        self.connection = ours
        try:
            if not ours.poll(_START_SECONDS) or ours.recv() != "ready":
                raise WorkerError(f"{self._name}: a process does not start")
        except EOFError:
            raise WorkerError(
                f"{self._name}: a process ends at its start: {self.output()}"
            ) from None

    def end(self) -> None:
        """End the process at once."""
        if self._process:
            self._process.kill()
            self._process.join()
            self._process = None
        if self.connection:
            self.connection.close()
            self.connection = None

    @property
    def counts(self) -> tuple[int, int]:
        """Cases that were accepted, and refused, in all."""
        return int(self._state[ACCEPTED]), int(self._state[REFUSED])

    def output(self) -> str:
        """Return the last line that the process printed."""
        try:
            lines = (self._own / "output.txt").read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1][:300] if lines else ""

    def begin(self, seed: int, numbers: Sequence[int]) -> None:
        """Run the cases of these numbers; `hear` gives what comes of them."""
        assert self.connection is not None
        self.todo, self._seed, self._last = numbers, seed, (-1, time.monotonic())
        self._state[NUMBER] = numbers[0]
        self.connection.send((seed, numbers))

    def hear(self) -> Iterator[tuple[int, Finding]]:
        """Yield the failures so far; `todo` is empty once all cases were run."""
        assert self.connection is not None
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if message == "done":
                    self.todo = ()
                else:
                    yield message[1], message[2]
        except (EOFError, OSError):
            yield from self._died()
            return
        if self.todo and self._is_stuck():
            yield from self._died("hang", "no end, and no processor time used")

    def run(self, case: Case) -> Finding | None:
        """Run one case and return what went wrong with it."""
        assert self.connection is not None
        self._last = (-1, time.monotonic())
        try:
            self.connection.send(case)
            while not self.connection.poll(_LOOK_SECONDS):
                if self._is_stuck():
                    return self._end_of("hang", "no end, and no processor time used")
            found: Finding | None = self.connection.recv()[1]
        except (EOFError, OSError):
            return self._end_of()
        return found

    def _is_stuck(self) -> bool:
        """Return whether a case takes much longer than its processor time allows."""
        number, now = int(self._state[NUMBER]), time.monotonic()
        if number != self._last[0]:
            self._last = (number, now)
        return now - self._last[1] > 120 + 10 * self.kind.limit_s

    def _died(self, kind: str = "", what: str = "") -> Iterator[tuple[int, Finding]]:
        """Yield the case that the process died of; it is started again with those behind it."""
        number, was_busy = int(self._state[NUMBER]), bool(self._state[BUSY])
        found = self._end_of(kind, what)
        yield number, found if was_busy else found._replace(what=f"{found.what}, while it is made")
        rest = self.todo[self.todo.index(number) + 1 :]
        self.todo = rest
        if rest:
            self.begin(self._seed, rest)

    def _end_of(self, kind: str = "", what: str = "") -> Finding:
        """Return how the process ended, and start another."""
        assert self._process is not None
        if kind:
            self._process.kill()
        self._process.join(10)
        status, said = self._process.exitcode, self.output()
        self.end()
        self.restarts += 1
        self._state[BUSY] = 0
        self.start()
        if kind:
            return Finding(kind, what, said)
        if status is not None and status < 0:
            name = signal.Signals(-status).name
            if -status == signal.SIGPROF:
                return Finding("hang", f"more than {self.kind.limit_s:g} s", said)
            return Finding("crash", name, said)
        return Finding("crash", f"the process ended with status {status}", said)


def prepared(name: str, shared: Path) -> None:
    """Write the seed files of a target, in a process of its own; WorkerError where that fails."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module_of(name)])
    shared.mkdir(parents=True, exist_ok=True)
    process = context.Process(target=prepare, args=(name, shared))
    process.start()
    process.join()
    if process.exitcode:
        said = (shared.parent / "prepared.txt").read_text(errors="replace")[-2000:]
        raise WorkerError(f"{name}: the seed files cannot be made\n{said}")


def hear_all(workers: Sequence[FuzzWorker], seconds: float) -> Iterator[tuple[int, Finding]]:
    """Yield the failures of all workers; wait up to so many seconds for something to happen."""
    connections = [one.connection for one in workers if one.connection and one.todo]
    wait(connections, seconds)
    for worker in workers:
        if worker.todo:
            yield from worker.hear()
