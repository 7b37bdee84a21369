"""The rates of the originals that models are compared with, from `peers/originals.json`.

A rate is that of one machine: it comes with its date and hardware, and is compared with rates of
such a machine only, at the same batch and number of frames.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.results import Row

FILE = Path(__file__).with_name("peers") / "originals.json"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where, when and how rates of originals were measured."""

    date: str
    hardware: str
    machine: str
    """As `environment.machine` names it: the key of what can be compared."""
    software: str
    how: str


@dataclass(frozen=True, kw_only=True)
class Original:
    """How fast the authors' code takes a training step of a variant, and the ratio to reach."""

    source: Source
    batch: int
    frames: int
    videos_per_second: tuple[float, float]
    """Lowest and highest."""
    target: float
    """Our rate, divided by the middle of theirs, is to be at least this."""

    def ratio(self, row: Row) -> float | None:
        """Return our rate divided by the original's; None where they cannot be compared.

        Args:
            row: of one of our models, with `machine` and in `details` `batch` and `frames`.
        """
        details = row["details"]
        if row["machine"] != self.source.machine:
            return None
        if (details["batch"], details["frames"]) != (self.batch, self.frames):
            return None
        return round(float(row["value"]) / (sum(self.videos_per_second) / 2), 2)


@cache
def originals() -> dict[str, Original]:
    """Return what is known of originals, by variant."""
    content = json.loads(FILE.read_text(encoding="utf-8"))
    sources = {name: Source(**fields) for name, fields in content["sources"].items()}
    found = {}
    for variant, fields in content["originals"].items():
        low, high = fields["videos_per_second"]
        known = fields | {"source": sources[fields["source"]], "videos_per_second": (low, high)}
        found[variant] = Original(**known)
    return found
