"""A run of cases of one target: handed out to processes, counted, failures kept."""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz.findings import Findings
from benchmarks.fuzz.pool import FuzzWorker, hear_all, prepared
from benchmarks.fuzz.targets import target_class
from benchmarks.fuzz.worker import drawn

_BATCH_SECONDS = 2.0  # of work that is handed out at a time
_MEMORY = Path("/dev/shm")  # files of cases are written here: no disk waits


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What is run.

    Attributes:
        target: name of it.
        seed: of the cases.
        cases: how many; None = until the time is over.
        seconds: how long; None = until all cases were run.
        first: number of the first case.
        jobs: processes.
        failures: folder that failures are kept in.
        progress: called with words now and then.
    """

    target: str
    seed: int = 0
    cases: int | None = None
    seconds: float | None = None
    first: int = 0
    jobs: int = 1
    failures: Path
    progress: Callable[[str], None] = lambda _: None

    def run(self) -> "CampaignResult":
        """Run the cases and return what came of them; WorkerError where no process starts."""
        base = _MEMORY if os.access(_MEMORY, os.W_OK) else None
        with ExitStack() as stack:
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-", dir=base))
            )
            prepared(self.target, folder / "shared")
            workers = [
                stack.enter_context(
                    FuzzWorker(self.target, folder / "shared", folder / f"worker-{number}")
                )
                for number in range(self.jobs)
            ]
            return self._run(workers, folder)

    def _run(self, workers: list[FuzzWorker], folder: Path) -> "CampaignResult":
        findings, began, shown, size = Findings(self.failures), time.monotonic(), 0.0, 20
        own = folder / "parent"
        own.mkdir()
        maker = target_class(self.target)(folder / "shared", own)
        kept, next_number = list[dict[str, Any]](), self.first
        last = None if self.cases is None else self.first + self.cases
        fresh: list[tuple[int, Any]] = []

        def is_over() -> bool:
            late = self.seconds is not None and time.monotonic() - began > self.seconds
            return late or (last is not None and next_number >= last)

        while True:
            for worker in workers:
                if worker.todo or is_over():
                    continue
                stop = next_number + size if last is None else min(last, next_number + size)
                worker.begin(self.seed, range(next_number, stop))
                next_number = stop
            if not any(worker.todo for worker in workers):
                break
            for number, found in hear_all(workers, 1.0):
                if findings.add(number, found):
                    fresh.append((number, found))
                    self.progress(f"{self.target}: case {number} {found.kind}: {found.what}")
            took = time.monotonic() - began
            rate = (next_number - self.first) / max(took, 0.1)
            size = max(1, min(5000, int(rate / len(workers) * _BATCH_SECONDS)))
            if took - shown > 10:
                shown = took
                self.progress(f"{self.target}: {next_number - self.first:,} cases, {rate:,.0f}/s")
        took = time.monotonic() - began
        for number, found in fresh:
            case = drawn(maker, self.seed, number)
            kept.append(findings.keep(workers[0], case, found, self.seed, number))
        accepted, refused = (sum(of) for of in zip(*(one.counts for one in workers), strict=True))
        return CampaignResult(
            target=self.target,
            seed=self.seed,
            first=self.first,
            cases=next_number - self.first,
            accepted=accepted,
            refused=refused,
            failed=findings.kinds(),
            seconds=round(took, 1),
            kept=kept,
        )


@dataclass(frozen=True, kw_only=True)
class CampaignResult:
    """What came of a run.

    Attributes:
        target: name of it.
        seed: of the cases.
        first: number of the first case.
        cases: how many were run.
        accepted: of these, read as what they are.
        refused: of these, refused with an error for people.
        failed: the others by kind.
        seconds: in all.
        kept: a description of one failure of each kind, with its folder.
    """

    target: str
    seed: int
    first: int
    cases: int
    accepted: int
    refused: int
    failed: dict[str, int]
    seconds: float
    kept: list[dict[str, Any]] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """Return it as a row of results/fuzz.json."""
        row = asdict(self)
        del row["kept"]
        names = {"target": self.target, "about": target_class(self.target).about}
        return names | row | {"faults": [f"{one['kind']}: {one['what']}" for one in self.kept]}
