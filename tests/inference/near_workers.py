"""Workers that are this process: what they do without starting one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from reeltag.inference import moment_shares, shares
from reeltag.pipeline.execution import execute
from reeltag.pipeline.failures import format_error, is_retryable
from reeltag.pipeline.scheduler import WorkerReport
from reeltag.pipeline.tasks import StepReport, Task
from reeltag.pipeline.worker_config import WorkerConfig


class NearEngine:
    """Runs steps as they are sent.

    Args:
        workers: how many it is to look like.

    Attributes:
        ran: names of the steps.
    """

    def __init__(self, workers: int) -> None:
        self.worker_names: Sequence[str] = [f"worker {n}" for n in range(1, workers + 1)]
        self.ran = list[str]()
        self._reports = list[WorkerReport]()

    def check(self, root: Path, sources: Sequence[Path]) -> None:
        """See all paths."""

    def begin(self, worker: str, task: Task) -> None:
        """Run a step, and report how it ended."""
        step, root = task.unpack()
        self.ran.append(step.name)
        try:
            record = execute(step, root, lambda _: None)
            report = StepReport(status="done", step=task.step, seconds=record.seconds)
        except Exception as error:
            message, again = format_error(error), is_retryable(error)
            report = StepReport(status="failed", step=task.step, message=message, retryable=again)
        self._reports.append((worker, report))

    def reports(self, seconds: float) -> list[WorkerReport]:
        """Return the reports since the last call."""
        found, self._reports = self._reports, []
        return found

    def interrupt(self) -> None:
        """Do nothing: no step runs between two calls."""

    def kill(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def dividing_few_batches() -> Iterator[None]:
    """Use one thread, as workers do, and let shares be of one batch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "LEAST_BATCHES", 1)
        yield
    torch.set_num_threads(threads)
    for loaded in (shares._loaded, moment_shares._loaded):
        loaded.cache_clear()


def work_nearby(monkeypatch: pytest.MonkeyPatch) -> list[NearEngine]:
    """Let workers be this process; return the list to which each engine is added."""
    engines = list[NearEngine]()

    def create(config: WorkerConfig, device: str) -> NearEngine:
        engines.append(NearEngine(config.workers or 1))
        return engines[-1]

    monkeypatch.setattr(WorkerConfig, "create", create)
    return engines
