"""`reeltag evaluate`: score predictions against the labels and ratings of a data folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.table import Table

from reeltag.core.console import STDOUT, print_json, print_table
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.evaluation.scores import evaluate
from reeltag.metrics.segment import AverageOver

_ABOUT = {
    "gap@20": "global AP, each video in its 20 best classes",
    "hit@1": "videos whose best class is right",
    "perr": "precision at equal recall rate",
    "map": "mean AP of {map_classes:,} classes, each video in its {map_truncated_at:,} best",
    "map@k": "mean AP of {classes:,} classes, each by its {k:,} best segments",
}


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Score predictions against labels and segment ratings, with bootstrap intervals.

    Whole videos: GAP@20, Hit@1, PERR, mAP. Segments, where the data have ratings: MAP@K. Each comes
    with the interval that holds 95 % of the values when the videos are drawn again and again.
    """

    predictions: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="P")]
    """Parquet file that `reeltag predict` made."""
    data: Path
    """Folder of TFRecords (or one TFRecord) with the truth."""
    split: Literal["train", "validate", "test", "all"] | None = None
    """All videos of this split are the truth: what is true of one that was not predicted counts as
    missed. None: only the videos that P is about count."""
    train: str = ""
    """Pattern of the training shards, relative to DATA; empty: by the published names."""
    validate: str = ""
    """Pattern of the validation shards, likewise."""
    test: str = ""
    """Pattern of the test shards, likewise."""
    holdout: float = Splits.holdout
    """Share of the training shards that validate where no others do; as in training."""
    k: int = 100_000
    """K of MAP@K: places in the list of a class."""
    average_over: AverageOver = "listed"
    """Classes that MAP@K is the mean of: those that are in P, or all with a rated positive."""
    bootstrap: int = 200
    """Replicates for the intervals; 0 = no intervals."""
    seed: int = 0
    """Random seed of the bootstrap."""
    blank_std: float = 0.0
    """Videos whose mean rgb frame has at most this standard deviation are left out (`reeltag
    predict --blank-std` does not score them); 0: all do. Costs a pass over the rgb frames."""
    per_class: Path | None = None
    """CSV file to write: positives and average precision of every class."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Score, and print the scores; 0."""
        splits = Splits(
            train=self.train, validate=self.validate, test=self.test, holdout=self.holdout
        )
        if splits != Splits() and self.split is None:
            raise ConfigError(
                "has no effect without --split",
                where="--"
                + next((n for n in ("train", "validate", "test") if getattr(self, n)), "holdout"),
                hint="Add --split test, for example.",
            )
        scores = evaluate(
            self.predictions,
            Dataset.open(self.data, splits=splits, quiet=self.json),
            split=self.split,
            k=self.k,
            average_over=self.average_over,
            bootstrap=self.bootstrap,
            seed=self.seed,
            blank_std=self.blank_std,
            per_class=self.per_class,
        )
        if self.json:
            print_json(scores)
        else:
            _print(scores, f"{self.predictions}: {scores['videos']:,} videos of {self.data}")
        return 0


def _print(scores: dict[str, Any], title: str) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("metric")
    table.add_column("value", justify="right")
    if scores["bootstrap"]:
        table.add_column("95 % interval", justify="center")
    table.add_column("what")
    for name, about in _ABOUT.items():
        if name in scores:
            low_high = scores.get(f"{name}_interval")
            edges = [" to ".join(map(_number, low_high or [None]))] if scores["bootstrap"] else []
            table.add_row(name, _number(scores[name]), *edges, about.format(**scores))
    STDOUT.print(title, highlight=False, markup=False, soft_wrap=True)
    print_table(table)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
