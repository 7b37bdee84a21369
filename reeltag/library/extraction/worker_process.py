"""Processes that work on tasks, and that may crash or hang: then only that task fails.

    with WorkerPool(prepare, arguments, workers=4) as pool:
        for outcome in pool.run(tasks):
            ...

A worker is a fresh Python (`python -m reeltag.library.extraction.worker_process`), neither forked
nor a copy of the main module. It imports `prepare`, calls it once, and what that returns once per
task. A worker that dies, or takes longer than its task allows, is replaced. Workers end with the
process that started them, however that ends.

`concurrent.futures` and `joblib` give up all tasks when one worker dies; hence this module.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from multiprocessing import Pipe
from multiprocessing.connection import wait
from queue import SimpleQueue
from typing import IO, Any, Literal, Self, TypeAlias

from reeltag.core import errors
from reeltag.core.errors import ConfigError, ReeltagError, reason_of
from reeltag.core.files import scratch_file
from reeltag.core.system.processes import (
    KILLED,
    PipeEnd,
    end_with,
    ended_by,
    inherited_pipe,
    start_apart,
)

Failure = Literal["", "error", "died", "timed out"]
Report: TypeAlias = Callable[..., None]  # report(value), report(value, quiet_s)
Work: TypeAlias = Callable[[Any, Report], Any]  # (what to do, report) -> result
START_SECONDS = 300.0  # imports and weights on a slow disk
_STARTS = 3  # tries before it is given up that a worker starts
_LAST_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class PoolTask:
    """One thing to do.

    Attributes:
        key: names it in its outcome.
        payload: for the worker; must be picklable.
        limit_s: seconds that it may take.
        quiet_s: seconds that it may take between two reports, until a report names others.
    """

    key: str
    payload: Any
    limit_s: float = float("inf")
    quiet_s: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class TaskOutcome:
    """What became of a task.

    Attributes:
        key: of the task.
        value: what the work returned; None where it failed.
        failure: "" = done; "error" = an exception; "died" = its process did; "timed out".
        message: why it failed, one line.
        error: what was raised, if that is an error for people.
        detail: traceback of another exception.
        seconds: it took.
    """

    key: str
    value: Any = None
    failure: Failure = ""
    message: str = ""
    error: ReeltagError | None = None
    detail: str = ""
    seconds: float = 0.0


class WorkerPool:
    """Some worker processes; a context manager that ends them.

    Args:
        prepare: function of a module, called in each worker with `arguments`; it returns the work:
            a function of payload and report, whose result must be picklable.
        arguments: of `prepare`; must be picklable.
        workers: processes at most; they are started when there are tasks for them.
        variables: of their environment, in addition to those of this process.
        in_turns: further ones, the first for the first worker and so on, round and round.

    Raises:
        ConfigError: `workers` is less than 1.
    """

    def __init__(
        self,
        prepare: Callable[..., Work],
        arguments: tuple[Any, ...] = (),
        *,
        workers: int = 1,
        variables: Mapping[str, str] | None = None,
        in_turns: Sequence[Mapping[str, str]] = (),
    ) -> None:
        if workers < 1:
            raise ConfigError(f"must be at least 1, got {workers}", where="workers")
        turns = islice(cycle(in_turns or ({},)), workers)
        self._workers = [_Worker(prepare, arguments, {**(variables or {}), **of}) for of in turns]

    def __enter__(self) -> Self:
        """Return itself; nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill all workers: none has anything to save."""
        for worker in self._workers:
            worker.kill()

    def run(
        self, tasks: Iterable[PoolTask], on_report: Callable[[str, Any], None] | None = None
    ) -> Iterator[TaskOutcome]:
        """Yield the outcomes of all tasks, as they end.

        Args:
            tasks: taken one by one, when a worker is free.
            on_report: called with key and value of what the work reports.

        Raises:
            ReeltagError: a worker cannot be started; what `prepare` raised, if that is one.
        """
        waiting = iter(tasks)
        while True:
            for worker in self._workers:
                if worker.task is None and (task := next(waiting, None)):
                    worker.begin(task)
            busy = [worker for worker in self._workers if worker.task]
            if not busy:
                return
            seconds = min(worker.deadline for worker in busy) - time.monotonic()
            wait([worker.connection for worker in busy], max(0.0, min(seconds, 3600.0)))
            for worker in busy:
                if outcome := worker.hear(on_report):
                    yield outcome


class _Worker:
    """One process, seen from outside."""

    def __init__(
        self,
        prepare: Callable[..., Work],
        arguments: tuple[Any, ...],
        variables: Mapping[str, str],
    ) -> None:
        self._setup = prepare, arguments
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._is_ready, self._starts = False, 0
        self._began = self._heard = self._quiet = 0.0
        self.task: PoolTask | None = None

    def begin(self, task: PoolTask) -> None:
        """Send it a task; it is started first where it is not alive."""
        self.task = task
        if self._process is None:
            self._start()
        self._began = self._heard = time.monotonic()
        self._quiet = task.quiet_s
        with suppress(OSError):  # it died, which `hear` finds
            self.connection.send(task.payload)

    @property
    def deadline(self) -> float:
        """When its task has taken too long, on the monotonic clock."""
        assert self.task is not None
        if not self._is_ready:
            return self._heard + START_SECONDS
        return min(self._began + self.task.limit_s, self._heard + self._quiet)

    def hear(self, on_report: Callable[[str, Any], None] | None) -> TaskOutcome | None:
        """Return the outcome of its task, if it has ended or must be ended."""
        assert self.task is not None
        try:
            while self.connection.poll():
                kind, *values = self.connection.recv()
                self._heard = time.monotonic()
                if kind == "ready":
                    self._is_ready, self._starts, self._began = True, 0, self._heard
                elif kind == "report":
                    self._quiet = values[1] or self._quiet
                    if on_report:
                        on_report(self.task.key, values[0])
                elif kind == "done":
                    return self._ended(value=values[0])
                elif kind == "failed":
                    return self._ended("error", values[0], detail=values[1])
                elif kind == "error":
                    error = _error_of(*values)
                    return self._ended("error", _one_line(error), error=error)
                elif kind == "refused":
                    raise _error_of(*values)
        except (EOFError, OSError):
            return self._died()
        if time.monotonic() < self.deadline:
            return None
        if not self._is_ready:
            raise ReeltagError(f"a worker process did not start within {START_SECONDS:g} s")
        took = f"{time.monotonic() - self._began:.0f} s"
        self.kill()
        return self._ended("timed out", f"took too long: it was stopped after {took}")

    def kill(self) -> None:
        """End it at once."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self.connection.close()
        if self._errors:
            self._errors.close()
        self._process, self._is_ready = None, False

    def _ended(self, failure: Failure = "", message: str = "", **more: Any) -> TaskOutcome:  # noqa: ANN401
        assert self.task is not None
        key, self.task = self.task.key, None
        seconds = time.monotonic() - self._began
        return TaskOutcome(key=key, failure=failure, message=message, seconds=seconds, **more)

    def _died(self) -> TaskOutcome | None:
        """Return the outcome of a task whose process ended; start again where it never began."""
        assert self._process is not None and self.task is not None
        try:
            status = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # it closed the pipe and lives on
            status = KILLED
        why, was_ready = _format_end(status, self._last_line()), self._is_ready
        self.kill()
        if was_ready:
            return self._ended("died", why)
        if self._starts >= _STARTS:
            raise ReeltagError(f"a worker process cannot be started: {why}")
        self.begin(self.task)
        return None

    def _start(self) -> None:
        ours, its = Pipe()
        without = ("FORCE_COLOR", "RANK", "LOCAL_RANK", "TTY_COMPATIBLE")
        environment = {name: value for name, value in os.environ.items() if name not in without}
        environment |= self._variables
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        self._errors = scratch_file()  # closed with the worker
        command = [sys.executable, "-P", "-m", "reeltag.library.extraction.worker_process"]
        self._process = start_apart(
            [*command, str(os.getpid())],
            its,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
        )
        its.close()
        self.connection = ours
        self._starts += 1
        with suppress(OSError):
            ours.send(self._setup)

    def _last_line(self) -> str:
        """Return the last line that it printed."""
        assert self._errors is not None
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _LAST_BYTES))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""


def _one_line(error: ReeltagError) -> str:
    return f"{error.where}: {error.what}" if error.where else error.what


def _error_of(name: str, what: str, where: str, hint: str) -> ReeltagError:
    """Return an error for people that a worker raised, by the name of its class."""
    kind: type[ReeltagError] = getattr(errors, name, ReeltagError)
    return kind(what, where=where, hint=hint)


def _format_end(status: int, last_line: str) -> str:
    """Return how a process ended, in words.

    >>> _format_end(3, "no space left")
    'its process ended with status 3: no space left'
    """
    name = ended_by(status)
    if not name:
        return f"its process ended with status {status}" + (f": {last_line}" if last_line else "")
    if name == "SIGKILL":
        return "its process was killed (SIGKILL; out of memory?)"
    return f"its process crashed ({name})"


def main() -> None:
    """Work on tasks until the connection is closed or the parent is gone."""
    connection = inherited_pipe(sys.argv[2])
    end_with(parent=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    received = SimpleQueue[Any]()
    threading.Thread(target=_listen, args=(connection, received), daemon=True).start()
    prepare, arguments = received.get()
    try:
        work = prepare(*arguments)
    except ReeltagError as error:
        connection.send(("refused", *_parts_of(error)))
        return
    connection.send(("ready",))
    while True:
        _work_on(received.get(), work, connection)


def _work_on(payload: object, work: Work, connection: PipeEnd) -> None:
    """Send what the work returns or raises."""

    def report(value: object, quiet_s: float = 0.0) -> None:
        connection.send(("report", value, quiet_s))

    try:
        message: tuple[Any, ...] = ("done", work(payload, report))
    except ReeltagError as error:
        message = ("error", *_parts_of(error))
    except Exception as error:
        what = f"{type(error).__name__}: {reason_of(error)}"
        message = ("failed", what, traceback.format_exc())
    connection.send(message)


def _parts_of(error: ReeltagError) -> tuple[str, str, str, str]:
    return type(error).__name__, error.what, error.where, error.hint


def _listen(connection: PipeEnd, received: SimpleQueue[Any]) -> None:
    """Take what the parent sends; end the process when the parent is gone."""
    try:
        while True:
            received.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)
    except Exception:  # what it sends cannot be imported here
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main()
