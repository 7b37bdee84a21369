"""Workers on this machine: a process for each GPU, or several that share the cores out."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import IO

import torch

from reeltag.core.errors import ConfigError
from reeltag.pipeline.fleet import Said
from reeltag.pipeline.orders import Order, StepReport

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
GPUS = "CUDA_VISIBLE_DEVICES"


class Worker:
    """A process that makes steps; started with its first order, and anew after it has died.

    Args:
        variables: of its environment, beside those of this process.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.step = ""
        self.connection: Connection | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the worker)

    def begin(self, order: Order) -> None:
        """Let it make a step."""
        if self.connection is None:
            self._start()
        self.step = order.step
        assert self.connection is not None
        with suppress(BrokenPipeError):  # it died; `reports` will say so
            self.connection.send(order)

    def reports(self) -> list[StepReport]:
        """Return what it has said since, at once."""
        found: list[StepReport] = []
        try:
            while self.connection is not None and self.connection.poll():
                report = self.connection.recv()
                found.append(report)
                if report.answer not in ("begun", "resumed"):
                    self.step = ""
        except (EOFError, OSError):
            why = self._ended()
            if self.step:
                found.append(StepReport(answer="died", step=self.step, words=why))
            self.step = ""
        return found

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End it at once; a step that it is at goes on another time."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """End it; it is idle, or may be stopped."""
        if self.connection is not None:
            self.connection.close()  # which it takes for SIGINT
            self.connection = None
        if self.process is not None:
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
                self.process.wait()
        self._words.close()

    def _start(self) -> None:
        ours, its = Pipe()
        without = ("FORCE_COLOR", "RANK", "LOCAL_RANK", "TTY_COMPATIBLE")
        environment = {name: value for name, value in os.environ.items() if name not in without}
        environment |= {"COLUMNS": "160", "PYTHONUNBUFFERED": "1", **self.variables}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [*sys.path]))
        program = [sys.executable, "-P", "-X", "faulthandler", "-m", "reeltag.pipeline.worker"]
        self.process = subprocess.Popen(
            [*program, str(its.fileno())],
            env=environment,
            pass_fds=(its.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
            start_new_session=True,  # a terminal's Ctrl-C is for us; we pass it on
        )
        its.close()
        self.connection = ours

    def _ended(self) -> str:
        """Say how it ended, and be ready for the next."""
        assert self.process is not None and self.connection is not None
        self.connection.close()
        self.connection = None
        status = self.process.wait()
        if status < 0:
            name = signal.Signals(-status).name
            memory = " (out of memory?)" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{memory}"
        return f"its process ended with status {status}{self._last_words()}"

    def _last_words(self) -> str:
        """Return what it said before it had a log."""
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


class Local:
    """The workers of this machine.

    Args:
        workers: how many; 0: one for each GPU. More than there are GPUs share these.

    Raises:
        ConfigError: `workers` is less than 0.
    """

    def __init__(self, workers: int) -> None:
        names = places(workers)
        gpus, threads = visible_gpus(), threads_each(len(names))
        self.workers = {
            name: Worker({**threads, **({GPUS: gpus[number % len(gpus)]} if gpus else {})})
            for number, name in enumerate(names)
        }

    def check(self, *folders: object) -> None:
        """Do nothing: what is seen here is seen by all processes here."""

    @property
    def places(self) -> Sequence[str]:
        """Names of the workers."""
        return list(self.workers)

    def begin(self, place: str, order: Order) -> None:
        """Let a worker make a step."""
        self.workers[place].begin(order)

    def reports(self, seconds: float) -> list[Said]:
        """Wait up to so long for somebody to say something, and return that."""
        open_ = [worker.connection for worker in self.workers.values() if worker.connection]
        wait(open_, seconds)
        return [(name, said) for name, worker in self.workers.items() for said in worker.reports()]

    def interrupt(self) -> None:
        """Do to all what Ctrl-C does."""
        for worker in self.workers.values():
            worker.interrupt()

    def kill(self) -> None:
        """End all at once."""
        for worker in self.workers.values():
            worker.kill()

    def close(self) -> None:
        """End all, who are idle."""
        for worker in self.workers.values():
            worker.close()


def places(workers: int) -> list[str]:
    """Return the names of the workers that `workers` asks for, see `Local`."""
    if workers < 0:
        raise ConfigError(f"must be >= 0, got {workers}", where="workers")
    gpus = visible_gpus()
    if not gpus:
        return [f"worker {number}" for number in range(1, max(workers, 1) + 1)]
    rounds, names = -(-max(workers, len(gpus)) // len(gpus)), [f"gpu {gpu}" for gpu in gpus]
    names += [f"{name} ({at})" for at in range(2, rounds + 1) for name in names[: len(gpus)]]
    return names[: workers or len(gpus)]


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    count = torch.cuda.device_count()
    said = os.environ.get(GPUS)
    return said.split(",")[:count] if said and count else [str(gpu) for gpu in range(count)]


def threads_each(workers: int, cores: int = 0) -> dict[str, str]:
    """Return the variables that share the cores out; what a person has set stays.

    Args:
        workers: who share them.
        cores: that there are; 0: those that this process may use.
    """
    threads = max(1, (cores or len(os.sched_getaffinity(0))) // max(workers, 1))
    return {name: os.environ.get(name, str(threads)) for name in THREADS}
