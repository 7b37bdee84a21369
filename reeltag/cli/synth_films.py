"""`reeltag synth-films OUT`: video files with drawn scenes and synthesised sounds."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from reeltag.core.console import print_json, say
from reeltag.library.synth.drawn_films import FilmsConfig, write_films


@dataclass(frozen=True, kw_only=True)
class SynthFilms:
    """Write video files with drawn scenes and synthesised sounds, for tests and demos.

    Six classes are seen and five are heard, at moments that are known to 0.1 s (moments.csv).
    Next to the films are classes, noisy labels of whole films, and a few rated windows. The same
    arguments give the same bytes.
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """The folder to make; it must not exist."""
    films: tyro.conf.OmitArgPrefixes[FilmsConfig] = field(default_factory=FilmsConfig)
    jobs: int | None = None
    """Processes; None = one per core. The bytes do not depend on it."""
    json: bool = False
    """Print one JSON object on stdout and nothing else there."""

    def run(self) -> int:
        """Write the films and print what was written; 0."""
        began = time.monotonic()
        counts = write_films(self.out, self.films, jobs=self.jobs, quiet=self.json)
        if self.json:
            print_json({"out": str(self.out), **asdict(counts)})
            return 0
        say(
            f"{self.out}: {counts.films} synthetic films, {counts.seconds / 60:.1f} minutes, "
            f"{counts.bytes / 1e6:.1f} MB, {counts.moments} moments; {counts.labels} noisy labels "
            f"({counts.correct_labels} true, of {counts.true_labels} that there are); "
            f"{counts.ratings} rated windows ({counts.positive} positive), "
            f"in {time.monotonic() - began:.1f} s"
        )
        return 0
