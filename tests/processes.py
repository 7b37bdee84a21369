"""Processes that a test starts, gone after it, with all that they started; and how to wait.

Functions of ours are called in a forked process (`Launch`), so that nothing is imported again. Any
other program is started by `program`, or by `run_program`, which waits for its end. A test waits
for what it needs, never for a time; `HANG_S` only ends a test that would wait forever.
"""

import os
import resource
import signal
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import torch

# a forked process hangs on a Mac and cannot use a GPU that its parent has used
_SAFE = sys.platform == "linux" and not torch.cuda.is_available()
CONTEXT = get_context("fork" if _SAFE else "forkserver")
MARK = "REELTAG_TEST_PROCESS"
HANG_S = 600.0  # longer than anything takes on the slowest machine
_POLL_S = 0.01


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; an AssertionError if it never is."""
    end = time.monotonic() + HANG_S
    while not is_so():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(_POLL_S)


def die(*_: object, **__: object) -> NoReturn:
    """End this process at once, in place of a function that a test lets it die in."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and waits for its parent does not."""
    with suppress(OSError):
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            != "Z"
        )
    return False


@contextmanager
def program(
    command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """Start a program in a session of its own; after the block it is gone, with its children.

    Args:
        command: program and arguments.
        environment: variables in addition to ours.
        options: of `subprocess.Popen`.
    """
    mark = uuid.uuid4().hex
    variables = {**os.environ, **(environment or {}), **_marked(mark)}
    started = subprocess.Popen(command, env=variables, start_new_session=True, **options)
    try:
        yield started
    finally:
        started.kill()
        _end_all(mark)  # first: they may hold its pipes
        started.wait()
        for pipe in (started.stdin, started.stdout, started.stderr):
            with suppress(OSError):
                if pipe:
                    pipe.close()


def run_program(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    statuses: Sequence[int] = (0,),
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a program to its end; an AssertionError if it ends with another status.

    Args:
        command: program and arguments.
        environment: variables in addition to ours.
        statuses: with which it may end.
        options: of `subprocess.Popen`; if they say nothing else, both outputs are kept, as text.
    """
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    with program(command, environment=environment, **given) as started:
        out, err = started.communicate(timeout=HANG_S)
    assert started.returncode in statuses, f"it ended with {started.returncode}: {err}"
    return subprocess.CompletedProcess(command, started.returncode, out, err)


class Started:
    """A process that calls a function.

    Args:
        folder: for what it prints.
        function: of a module; what it returns can be pickled and is small.
        arguments: of the function, which can be pickled.
        environment: variables in addition to ours.
        most_bytes: that any file may have; 0 = no limit.
    """

    def __init__(
        self,
        folder: Path,
        function: Callable[..., object],
        arguments: tuple[Any, ...],
        environment: dict[str, str],
        most_bytes: int,
    ) -> None:
        self.out, self.err = folder / "out", folder / "err"
        for file in (self.out, self.err):
            file.touch()
        files = str(self.out), str(self.err)
        self._answer, answer = CONTEXT.Pipe(duplex=False)
        call = (answer, function, arguments, files, environment, most_bytes)
        self._process = CONTEXT.Process(target=_call, args=call)  # type: ignore[attr-defined]
        self._process.start()
        answer.close()
        self.pid: int = self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        status: int | None = self._process.exitcode
        return status

    def until(self, is_so: Callable[[], bool]) -> "Started":
        """Wait until something is so, which it must be before the process has ended."""

        def is_so_or_ended() -> bool:
            ended = self.status is not None
            assert is_so() or not ended, f"it ended with {self.status}: {self.err.read_text()}"
            return is_so()

        wait_until(is_so_or_ended)
        return self

    def signal(self, number: int) -> "Started":
        """Send a signal."""
        os.kill(self.pid, number)
        return self

    def kill(self) -> "Started":
        """End it at once, and wait until it is gone."""
        return self.signal(signal.SIGKILL).wait()

    def wait(self) -> "Started":
        """Wait for its end."""
        self._process.join(HANG_S)
        assert self.status is not None, "it did not end"
        return self

    def result(self) -> Any:
        """Wait for its end, and return what the function returned."""
        self.wait()
        assert self.status == 0, f"it ended with {self.status}: {self.err.read_text()}"
        return self._answer.recv()

    def end(self) -> None:
        """Let it be gone."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._answer.close()


def _call(
    answer: Connection,
    function: Callable[..., object],
    arguments: tuple[Any, ...],
    files: tuple[str, str],
    environment: dict[str, str],
    most_bytes: int,
) -> None:
    os.environ.update(environment)
    warnings.resetwarnings()  # pytest makes errors of them; Python itself shows these
    warnings.simplefilter("ignore", Warning)
    warnings.simplefilter("default", UserWarning)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the suite may run by nohup
    for number, path in enumerate(files, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", 1, closefd=False)
    torch.set_num_threads(1)  # the pool of threads stayed with the parent
    with _files_up_to(most_bytes):
        answer.send(function(*arguments))


@contextmanager
def _files_up_to(most_bytes: int) -> Iterator[None]:
    """Limit the size of files; not beyond the block, for the coverage is written after it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Launch:
    """Start processes; all are gone, with those that they started, when it is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._started = folder, list[Started]()
        self._mark = uuid.uuid4().hex

    def __call__(
        self,
        function: Callable[..., object],
        *arguments: Any,
        environment: dict[str, str] | None = None,
        most_bytes: int = 0,
    ) -> Started:
        """Start a process that calls `function(*arguments)`; see `Started`."""
        place = self._folder / str(len(self._started))
        place.mkdir()
        variables = {**(environment or {}), **_marked(self._mark)}
        started = Started(place, function, arguments, variables, most_bytes)
        self._started.append(started)
        return started

    def close(self) -> None:
        """End all of them, and what they started that has their environment."""
        for started in self._started:
            started.end()
        _end_all(self._mark)

    def left(self) -> list[int]:
        """Return the processes that were started by ours, where /proc tells."""
        return _all_with(self._mark)


def _marked(mark: str) -> dict[str, str]:
    """Return the variable that names whose a process is: of those who started us, too."""
    return {MARK: f"{os.environ.get(MARK, '')} {mark}"}


def _all_with(mark: str) -> list[int]:
    """Return the processes with a mark, where /proc tells."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def _end_all(mark: str) -> None:
    """End processes with a mark; a killed one is there until the system has cleared it away."""
    while left := _all_with(mark):
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(_POLL_S)
