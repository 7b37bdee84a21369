"""Synthetic 2019: a program of sums, to test what holds programs up."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.papers.common.dataset_source import dataset_source
from reeltag.papers.common.program import FolderOf, Goal, Program
from reeltag.papers.common.tables import Table, TableRow
from reeltag.pipeline.steps import Estimate, Step, step, step_function


@dataclass(frozen=True, kw_only=True)
class Config:
    """Sizes."""

    rate: float = 1.0
    """Factor of each."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One member each."""
    helpers: int = field(default=2, compare=False)
    """Processes."""


def member_cost(step: Step) -> Estimate:
    return Estimate(seconds=0.5, bytes=100)


@step_function("member", version=1, cost=member_cost)
def member(out: Path, data: Path, *, rate: float, seed: int) -> None:
    """Write a number."""
    (out / "value.json").write_text(json.dumps(rate * len(Dataset.open(data, quiet=True))))


@step_function("mean_of_members", version=1)
def mean(out: Path, *members: Path) -> None:
    """Write the mean."""
    values = [json.loads((folder / "value.json").read_text()) for folder in members]
    (out / "value.json").write_text(json.dumps(sum(values) / len(values)))


def solve(data: Dataset, config: Config) -> Goal:
    """Return the mean of the members."""
    source = dataset_source(data)
    members = [
        step(member, source, name=str(seed), rate=config.rate, seed=seed) for seed in config.seeds
    ]
    goal = step(mean, *members)

    def tables(folder: FolderOf) -> list[Table]:
        ours = json.loads((folder(goal) / "value.json").read_text())
        row = TableRow(name="mean", paper=(42.0,), ours=(ours, None), intervals=((1.0, 2.0), None))
        other = TableRow(name="[best]", note="not published")
        return [
            Table(
                title="Table 1: sums",
                paper=("MAP",),
                ours=("sum", "MAP"),
                lines=(row, other),
                digits=1,
                note="synthetic data",
            )
        ]

    return Goal(steps=(goal,), tables=tables)


PROGRAM = Program(
    name="synthetic2019",
    title="Synthetic 2019: sums, to test what holds programs up.",
    paper="Nobody 2019, nowhere",
    needs="frames, at least four of them",
    cost="seconds, and some bytes",
    reaches="12 (paper: 42)",
    departs="nothing is learned",
    notes="V  videos\nR  ratings",
    config=Config,
    tiny=Config(seeds=(0, 1)),
    tiny_data=SynthConfig(
        videos=12, classes=3, rgb=4, audio=2, min_frames=4, max_frames=6, shards=1
    ),
    solve=solve,
)
