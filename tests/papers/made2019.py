"""Made 2019: sums, to test what holds solutions up.

Paper:     Nobody 2019, nowhere
Needs:     frames, at least
           four of them
Cost:      seconds, and some bytes
Run:       reeltag solve made2019 --data DATA --out WORK
Try:       reeltag solve made2019 --tiny --out WORK
Reaches:   12 (paper: 42)
Departs:   nothing is learned

This is not part: of the header.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from reeltag.data.index import open_index
from reeltag.data.synth.config import SynthConfig
from reeltag.papers.common.contract import FolderOf, Goal, Line, Table
from reeltag.papers.common.data_source import data_source
from reeltag.pipeline.steps import Estimate, step, step_function


@dataclass(frozen=True, kw_only=True)
class Config:
    """Sizes."""

    rate: float = 1.0
    """What each is multiplied by."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One member each."""
    helpers: int = field(default=2, compare=False)
    """Processes."""


TINY = Config(seeds=(0, 1))
TINY_DATA = SynthConfig(videos=12, classes=3, rgb=4, audio=2, min_frames=4, max_frames=6, shards=1)


@step_function("member", version=1)
def member(out: Path, data: Path, *, rate: float, seed: int) -> None:
    """Write a number."""
    (out / "value.json").write_text(json.dumps(rate * len(open_index(data, quiet=True).table)))


@step_function("mean_of_members", version=1)
def mean(out: Path, *members: Path) -> None:
    """Write the mean."""
    values = [json.loads((folder / "value.json").read_text()) for folder in members]
    (out / "value.json").write_text(json.dumps(sum(values) / len(values)))


def solve(data: Path, config: Config) -> Goal:
    """Return the mean of the members."""
    given = data_source(data, open_index(data, quiet=True))
    members = [
        step(
            member,
            given,
            name=str(seed),
            rate=config.rate,
            seed=seed,
            estimate=lambda: Estimate(seconds=0.5, bytes=100),
        )
        for seed in config.seeds
    ]
    goal = step(mean, *members)

    def tables(folder: FolderOf) -> list[Table]:
        ours = json.loads((folder(goal) / "value.json").read_text())
        line = Line(name="mean", paper=(42.0,), ours=(ours, None), intervals=((1.0, 2.0), None))
        other = Line(name="[best]", note="not published")
        return [
            Table(
                title="Table 1: sums",
                paper=("MAP",),
                ours=("sum", "MAP"),
                lines=(line, other),
                digits=1,
                note="made data",
            )
        ]

    return Goal(steps=(goal,), tables=tables)
