"""Workers on this machine: a process per GPU, or several that share the cores."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import wait

import torch

from reeltag.core.errors import ConfigError
from reeltag.core.files import scratch_file
from reeltag.core.system.processes import PipeEnd, ended_by, interrupt, start_apart
from reeltag.core.system.processors import usable_cores
from reeltag.pipeline.scheduler import WorkerReport
from reeltag.pipeline.tasks import StepReport, Task

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
GPUS = "CUDA_VISIBLE_DEVICES"


class Worker:
    """A process that runs steps; started with its first task, and again after it has died.

    Args:
        variables: of its environment, in addition to those of this process.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.step = ""
        self.connection: PipeEnd | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._output = scratch_file()  # closed with the worker

    def begin(self, task: Task) -> None:
        """Send it a task."""
        if self.connection is None:
            self._start()
        self.step = task.step
        assert self.connection is not None
        with suppress(BrokenPipeError):  # it died, which `reports` finds
            self.connection.send(task)

    def reports(self) -> list[StepReport]:
        """Return its new reports, without waiting."""
        found: list[StepReport] = []
        try:
            while self.connection is not None and self.connection.poll():
                report = self.connection.recv()
                found.append(report)
                if report.status not in ("started", "resumed"):
                    self.step = ""
        except (EOFError, OSError):
            message = self._clean_up()
            if self.step:
                found.append(StepReport(status="died", step=self.step, message=message))
            self.step = ""
        return found

    def interrupt(self) -> None:
        """Let it stop as by Ctrl-C."""
        if self.process is not None:
            interrupt(self.process)

    def kill(self) -> None:
        """Kill it; the step that it runs can be resumed."""
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        """End it; it is idle, or may be interrupted."""
        if self.connection is not None:
            self.connection.close()  # on which it interrupts itself
            self.connection = None
        if self.process is not None:
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
                self.process.wait()
        self._output.close()

    def _start(self) -> None:
        ours, its = Pipe()
        without = ("FORCE_COLOR", "RANK", "LOCAL_RANK", "TTY_COMPATIBLE")
        environment = {name: value for name, value in os.environ.items() if name not in without}
        environment |= {"COLUMNS": "160", "PYTHONUNBUFFERED": "1", **self.variables}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [*sys.path]))
        program = [sys.executable, "-P", "-X", "faulthandler", "-m", "reeltag.pipeline.worker"]
        self.process = start_apart(
            program,
            its,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )
        its.close()
        self.connection = ours

    def _clean_up(self) -> str:
        """Return how it ended, and prepare for the next start."""
        assert self.process is not None and self.connection is not None
        self.connection.close()
        self.connection = None
        status = self.process.wait()
        if name := ended_by(status):
            memory = " (out of memory?)" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{memory}"
        return f"its process ended with status {status}{self._last_output()}"

    def _last_output(self) -> str:
        """Return its last line of output before it had a log."""
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""


class LocalEngine:
    """The workers of this machine.

    Args:
        workers: how many; 0: one per GPU. If there are more than GPUs, they share these.
        gpus: which of them, as CUDA_VISIBLE_DEVICES names them; empty: none; None: all.

    Raises:
        ConfigError: `workers` is less than 0.
    """

    def __init__(self, workers: int, gpus: Sequence[str] | None = None) -> None:
        gpus = visible_gpus() if gpus is None else gpus
        names = worker_names(workers, gpus)
        threads = thread_variables(len(names))
        self.workers = {
            name: Worker({**threads, **({GPUS: gpus[number % len(gpus)]} if gpus else {})})
            for number, name in enumerate(names)
        }

    def check(self, *folders: object) -> None:
        """Do nothing: all processes on a machine see the same folders."""

    @property
    def worker_names(self) -> Sequence[str]:
        """Names of the workers."""
        return list(self.workers)

    def begin(self, worker: str, task: Task) -> None:
        """Send a task to an idle worker."""
        self.workers[worker].begin(task)

    def reports(self, seconds: float) -> list[WorkerReport]:
        """Return the new reports; wait at most so many seconds for the first."""
        open_ = [worker.connection for worker in self.workers.values() if worker.connection]
        wait(open_, seconds)
        return [(name, one) for name, worker in self.workers.items() for one in worker.reports()]

    def interrupt(self) -> None:
        """Let all workers stop as by Ctrl-C."""
        for worker in self.workers.values():
            worker.interrupt()

    def kill(self) -> None:
        """Kill all workers."""
        for worker in self.workers.values():
            worker.kill()

    def close(self) -> None:
        """End all workers, which are idle."""
        for worker in self.workers.values():
            worker.close()


def worker_names(workers: int, gpus: Sequence[str] | None = None) -> list[str]:
    """Return the names of so many workers on so many GPUs, see `LocalEngine`."""
    if workers < 0:
        raise ConfigError(f"must be >= 0, got {workers}", where="workers")
    gpus = visible_gpus() if gpus is None else gpus
    if not gpus:
        return [f"worker {number}" for number in range(1, max(workers, 1) + 1)]
    rounds, names = -(-max(workers, len(gpus)) // len(gpus)), [f"gpu {gpu}" for gpu in gpus]
    names += [f"{name} ({at})" for at in range(2, rounds + 1) for name in names[: len(gpus)]]
    return names[: workers or len(gpus)]


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    count = torch.cuda.device_count()
    names = os.environ.get(GPUS)
    return names.split(",")[:count] if names and count else [str(gpu) for gpu in range(count)]


def thread_variables(workers: int, cores: int = 0) -> dict[str, str]:
    """Return the variables that divide the cores among the workers; those that are set stay.

    Args:
        workers: how many.
        cores: to divide; 0: those that this process may use.
    """
    threads = max(1, (cores or usable_cores()) // max(workers, 1))
    return {name: os.environ.get(name, str(threads)) for name in THREADS}
