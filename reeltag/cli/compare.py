"""`reeltag compare`: is one set of predictions better than another, and how sure is that?"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from reeltag.core.console import print_json, print_table
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.evaluation.comparison import Difference, compare
from reeltag.evaluation.config import EvaluationConfig


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Compare predictions of two ways of training on the same videos.

    Several files on a side are runs with different seeds: their means are compared. The interval of
    the difference is a paired bootstrap over videos: both sides are evaluated on the same draws.
    """

    predictions: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="P")]
    """Parquet files that `reeltag predict` wrote: runs of one way."""
    against: tuple[Path, ...]
    """Files of the other way."""
    data: Path
    """Folder of TFRecords (or one TFRecord) with the truth."""
    config: tyro.conf.OmitArgPrefixes[EvaluationConfig] = field(
        default_factory=lambda: EvaluationConfig(split="test", bootstrap=400)
    )
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    """Which shards belong to the split; as in training."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Compare, and print the differences; return 0."""
        self.config.check_splits(self.splits)
        data = Dataset.open(self.data, splits=self.splits, quiet=self.json)
        found = compare(self.predictions, self.against, data, self.config, quiet=self.json)
        if self.json:
            print_json({name: dataclasses.asdict(each) for name, each in found.items()})
        else:
            _print(found, len(self.predictions), len(self.against))
        return 0


def _print(found: dict[str, Difference], runs: int, other_runs: int) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for title in (f"P ({runs})", "sd", f"against ({other_runs})", "sd", "difference", "95 %"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name, each in found.items():
        edges = "" if each.interval is None else "{:+.4f} {:+.4f}".format(*each.interval)
        table.add_row(
            name,
            f"{each.value:.4f}",
            _deviation(each.seed_sd),
            f"{each.against:.4f}",
            _deviation(each.against_seed_sd),
            f"{each.difference:+.4f}",
            edges,
            _verdict(each),
        )
    print_table(table)


def _deviation(seed_sd: float | None) -> str:
    return "" if seed_sd is None else f"{seed_sd:.4f}"


def _verdict(each: Difference) -> str:
    if each.interval is None:
        return ""
    if each.interval[0] > 0:
        return "better"
    return "worse" if each.interval[1] < 0 else "no difference shown"
