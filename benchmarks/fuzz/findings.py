"""What failed, kept in a folder: the case, the smallest like it, and how to repeat it.

FAILURES/TARGET-0123456789/case.bin        as it was drawn
FAILURES/TARGET-0123456789/smallest.bin    what is left of it
FAILURES/TARGET-0123456789/about.json      what happened; `python -m benchmarks.fuzz repeat`
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz.minimising import minimised
from benchmarks.fuzz.pool import FuzzWorker
from benchmarks.fuzz.target import Case
from benchmarks.fuzz.worker import Finding
from reeltag.core.files import write_json


@dataclass
class Findings:
    """The failures of a run, by what went wrong.

    Attributes:
        folder: they are kept in.
        counts: of each signature, how many cases.
        first: of each signature, the number of the first case.
    """

    folder: Path
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    first: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, number: int, found: Finding) -> bool:
        """Count a failure; return whether it is the first of its kind."""
        self.counts[found.signature] = self.counts.get(found.signature, 0) + 1
        self.first.setdefault(found.signature, number)
        return self.counts[found.signature] == 1

    def kinds(self) -> dict[str, int]:
        """Return how many cases failed, by kind."""
        found: dict[str, int] = {}
        for (kind, _), count in self.counts.items():
            found[kind] = found.get(kind, 0) + count
        return found

    def keep(
        self, worker: FuzzWorker, case: Case, found: Finding, seed: int, number: int
    ) -> dict[str, Any]:
        """Write a failure into the folder, with the smallest case like it; return its description.

        Args:
            worker: idle.
            case: that failed.
            found: how.
            seed: of the run.
            number: of the case.
        """

        def fails(other: Case) -> bool:
            again = worker.run(other)
            return again is not None and again.signature == found.signature

        repeats = fails(case)
        smallest = minimised(case, fails, worker.kind.smaller) if repeats else case
        about = {
            "target": worker.kind.name,
            "seed": seed,
            "number": number,
            "variant": case.variant,
            "kind": found.kind,
            "what": found.what,
            "details": found.details,
            "repeats": repeats,
            "bytes": [len(case.data), len(smallest.data)],
        }
        key = hashlib.sha256(json.dumps(found.signature).encode()).hexdigest()[:10]
        folder = self.folder / f"{worker.kind.name}-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "case.bin").write_bytes(case.data)
        (folder / "smallest.bin").write_bytes(smallest.data)
        write_json(folder / "about.json", about)
        return {**about, "folder": str(folder)}


def kept_case(folder: Path) -> tuple[dict[str, Any], Case]:
    """Return the description of a failure that was kept, and its smallest case."""
    about: dict[str, Any] = json.loads((folder / "about.json").read_text())
    return about, Case(about["variant"], (folder / "smallest.bin").read_bytes())
