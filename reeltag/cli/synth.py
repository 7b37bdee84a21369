"""`reeltag synth OUT`: a synthetic corpus in YouTube-8M's format."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from reeltag.core.console import print_json, say
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus


@dataclass(frozen=True, kw_only=True)
class Synth:
    """Write a synthetic corpus in YouTube-8M's format, for tests, demos and rehearsals.

    Classes have Zipf frequencies and parents, videos have scenes, labels are noisy, and segments of
    validate and test are rated. The same arguments give the same bytes.
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """The folder to make; it must not exist."""
    corpus: tyro.conf.OmitArgPrefixes[SynthConfig] = field(default_factory=SynthConfig)
    jobs: int | None = None
    """Processes; None = one per core. The bytes do not depend on it."""
    json: bool = False
    """Print one JSON object on stdout and nothing else there."""

    def run(self) -> int:
        """Write the corpus and print what was written; 0."""
        began = time.monotonic()
        counts = write_corpus(self.out, self.corpus, jobs=self.jobs, quiet=self.json)
        splits = self.corpus.counts
        if self.json:
            print_json({"out": str(self.out), "splits": splits, **asdict(counts)})
            return 0
        parts = ", ".join(f"{number} {split}" for split, number in splits.items())
        say(
            f"{self.out}: {counts.videos} synthetic videos ({parts}), "
            f"{counts.seconds / 3600:.1f} hours, {counts.labels / counts.videos:.2f} labels a "
            f"video, {counts.rated} rated segments, in {time.monotonic() - began:.1f} s"
        )
        return 0
