"""Work that takes longer than a request: processes of their own, a few at a time, with progress.

    job = jobs.start("curves", "Curves of 12 videos", [sys.executable, "-m", ...])

A line `progress: 0.42 words` on a job's stderr says how far it is; any other line is its message.
What it prints is in FOLDER/KEY.log. A job ends with the server, however that ends.
"""

import json
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO

from reeltag.core.errors import OutputError, ReeltagError
from reeltag.core.files import appending, write_json
from reeltag.core.system import supervise
from reeltag.core.system.processes import interrupt, kill_group, start_apart
from reeltag.core.writing import make_folder
from reeltag.server.errors import RequestError
from reeltag.server.job_lines import progress_of
from reeltag.server.views.overview import JobKind, JobState, JobView

_SUPERVISE = Path(supervise.__file__)
_ACTIVE: tuple[JobState, ...] = ("waiting", "running")
_INTERRUPTED = "interrupted: the server was ended"
_PATIENCE_S = 5.0  # from asking a job to stop to ending it
_KEPT = 50  # jobs that have ended
_LONGEST = 300  # characters of a message
_LINE_BYTES = 4096  # of a line of stderr; what is longer is several
_LINES = 20  # of stderr that a failure is explained from


@dataclass(eq=False)
class _Job:
    """A job, its program, and its process where it runs."""

    view: JobView
    argv: tuple[str, ...]
    on_done: Callable[[], None] | None
    began: float = field(default_factory=time.monotonic)
    process: subprocess.Popen[bytes] | None = None
    stop: str = ""  # why it was asked to
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))


class Jobs:
    """The jobs of a server; safe for threads.

    Args:
        folder: for what they print, and for the list of them.
        at_once: that run at a time.
        most_waiting: that wait for these.
        on_change: is called with each change of a job.
    """

    def __init__(
        self,
        folder: Path,
        *,
        at_once: int = 2,
        most_waiting: int = 16,
        on_change: Callable[[JobView], None] = lambda _: None,
    ) -> None:
        make_folder(folder)
        self._folder, self._at_once, self._most_waiting = folder, at_once, most_waiting
        self._on_change = on_change
        self._lock, self._is_closed = threading.RLock(), False
        self._jobs = {view.key: _Job(view, (), None) for view in _earlier(folder)}
        self._threads = dict[str, threading.Thread]()

    def start(
        self,
        kind: JobKind,
        title: str,
        argv: Sequence[str],
        *,
        result: str = "",
        on_done: Callable[[], None] | None = None,
    ) -> JobView:
        """Start a job, or let it wait for its turn; one that does the same already is returned.

        Args:
            kind: of work.
            title: in words.
            argv: the program and what it is given.
            result: page to go to when it is done.
            on_done: is called, in another thread, when the program has ended well, before the job
                is done; what it raises lets the job fail.

        Raises:
            RequestError: too many wait already.
            OutputError: the list of jobs cannot be written.
        """
        with self._lock:
            active = [of for of in self._jobs.values() if of.view.state in _ACTIVE]
            same = next((of for of in active if of.argv == tuple(argv)), None)
            if same is not None:
                return self._view(same)
            if self._is_closed or len(active) >= self._at_once + self._most_waiting:
                raise RequestError(
                    429, "too many jobs wait already", hint="Wait for them, or cancel some."
                )
            view = JobView(
                key=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}",
                kind=kind,
                title=title,
                state="waiting",
                fraction=None,
                message="",
                result=result,
                started_at=datetime.now(UTC).isoformat(timespec="seconds"),
                seconds=0.0,
            )
            write_json(self._folder / f"{view.key}.json", asdict(view))
            job = self._jobs[view.key] = _Job(view, tuple(argv), on_done)
            self._on_change(view)
            self._start_waiting()
            return self._view(job)

    def get(self, key: str) -> JobView:
        """Return a job; RequestError where there is none."""
        with self._lock:
            if key not in self._jobs:
                raise RequestError(404, f"there is no job {key!r}")
            return self._view(self._jobs[key])

    def all(self) -> list[JobView]:
        """Return the jobs, the last one first."""
        with self._lock:
            return [self._view(of) for of in reversed(self._jobs.values())]

    def active(self) -> list[JobView]:
        """Return the jobs that run or wait, the first one first."""
        with self._lock:
            return [self._view(of) for of in self._jobs.values() if of.view.state in _ACTIVE]

    def cancel(self, key: str) -> JobView:
        """Stop a job, if it has not ended; RequestError where there is none."""
        with self._lock:
            view = self.get(key)
            self._stop(self._jobs[key], "cancelled")
        return self.get(key) if view.state == "waiting" else view

    def close(self) -> None:
        """Stop all jobs, and wait until they are gone."""
        with self._lock:
            self._is_closed = True
            for job in self._jobs.values():
                self._stop(job, _INTERRUPTED)
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(2 * _PATIENCE_S)

    def _view(self, job: _Job) -> JobView:
        if job.view.state not in _ACTIVE:
            return job.view
        return replace(job.view, seconds=round(time.monotonic() - job.began, 1))

    def _change(self, job: _Job, view: JobView) -> None:
        """Let a job be shown so; a new state is written down."""
        with self._lock:
            is_new = view.state != job.view.state
            job.view = replace(view, seconds=self._view(job).seconds)
            if is_new:
                with suppress(OutputError):  # it is but a list
                    write_json(self._folder / f"{view.key}.json", asdict(job.view))
            self._on_change(job.view)

    def _start_waiting(self) -> None:
        """Start what waits, as far as there is room; forget what ended long ago."""
        jobs = list(self._jobs.values())
        running = sum(of.view.state == "running" for of in jobs)
        waiting = [of for of in jobs if of.view.state == "waiting"]
        for job in waiting[: max(0, self._at_once - running)]:
            job.began = time.monotonic()
            self._change(job, replace(job.view, state="running"))
            thread = threading.Thread(target=self._run, args=(job,), daemon=True)
            self._threads[job.view.key] = thread
            thread.start()
        ended = [of.view.key for of in jobs if of.view.state not in _ACTIVE]
        for key in ended[:-_KEPT]:
            del self._jobs[key]
            for ending in ("json", "log"):
                (self._folder / f"{key}.{ending}").unlink(missing_ok=True)

    def _stop(self, job: _Job, why: str) -> None:
        if job.view.state == "waiting":
            state: JobState = "cancelled" if why == "cancelled" else "failed"
            self._change(job, replace(job.view, state=state, message=why))
        elif job.view.state == "running" and not job.stop:
            job.stop = why
            if job.process is not None:
                _end(job.process)

    def _run(self, job: _Job) -> None:
        """Run the program of a job to its end."""
        try:
            status = self._run_program(job)
            if status == 0 and job.on_done is not None:
                job.on_done()
            problem = "" if status == 0 else _explain(job.lines, status)
        except Exception as error:  # whatever it is, the job has failed
            problem = str(error) or type(error).__name__
            if not isinstance(error, ReeltagError | OSError):
                problem = f"this should not happen ({type(error).__name__}: {problem})"
        with self._lock:
            view = replace(job.view, state="done", fraction=1.0)
            if problem and job.stop == "cancelled":
                view = replace(job.view, state="cancelled", message=job.stop)
            elif problem:
                view = replace(job.view, state="failed", message=job.stop or _clean(problem))
            self._change(job, view)
            self._threads.pop(job.view.key, None)
            if not self._is_closed:
                self._start_waiting()

    def _run_program(self, job: _Job) -> int:
        """Return the exit status of the program of a job."""
        command = [sys.executable, "-I", str(_SUPERVISE), *job.argv]
        with appending(self._folder / f"{job.view.key}.log") as log:
            process = start_apart(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.PIPE
            )
            with process:
                with self._lock:
                    job.process = process
                    if job.stop:
                        _end(process)
                for line in iter(partial(_stderr(process).readline, _LINE_BYTES), b""):
                    log.write(line)
                    self._hear(job, _clean(line.decode("utf-8", "replace")))
                return process.wait()

    def _hear(self, job: _Job, line: str) -> None:
        """Take a line of stderr."""
        if not line:
            return
        progress = progress_of(line)
        if progress is None:
            job.lines.append(line)
            self._change(job, replace(job.view, message=line))
        else:
            fraction, words = progress
            message = words or job.view.message
            self._change(job, replace(job.view, fraction=fraction, message=message))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a job to stop; end it some seconds later."""
    interrupt(process, group=True)
    timer = threading.Timer(_PATIENCE_S, kill_group, (process,))
    timer.daemon = True
    timer.start()


def _stderr(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    assert process.stderr is not None
    return process.stderr


def _explain(lines: Sequence[str], status: int) -> str:
    """Return why a program failed: its last error, or its last line."""
    listed = list(lines)
    errors = [at for at, line in enumerate(listed) if line.startswith("error: ")]
    if errors:
        return " ".join(listed[errors[-1] :]).removeprefix("error: ")
    return listed[-1] if listed else f"it ended with status {status}"


def _clean(text: str) -> str:
    return "".join(of if of.isprintable() else " " for of in text).strip()[:_LONGEST]


def _earlier(folder: Path) -> list[JobView]:
    """Return the jobs of earlier servers; those that had not ended were interrupted."""
    found = list[JobView]()
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, TypeError):
            view = JobView(**json.loads(path.read_text(encoding="utf-8")))
            if view.state in _ACTIVE:
                view = replace(view, state="failed", message=_INTERRUPTED)
            found.append(view)
    return found
