"""`reeltag evaluate`: score predictions against the labels and ratings of a data set."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from reeltag.core.console import STDOUT, print_json, print_table
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.meanings import score_meanings
from reeltag.evaluation.scores import evaluate


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Score predictions against labels and segment ratings, with bootstrap intervals.

    Whole videos: GAP@20, Hit@1, PERR, mAP. Segments, where the data have ratings: MAP@K. Each comes
    with the interval that holds 95 % of the values when the videos are drawn again and again.

    Submissions of the challenges may be of any system: one of 2018 has the scores of its 20 labels
    a video, one of 2019 has ranks, of which MAP@K is computed and nothing else.
    """

    predictions: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="P")]
    """Parquet file that `reeltag predict` wrote, or a submission (CSV) of 2018 or 2019."""
    data: Path
    """Folder of TFRecords (or one TFRecord) with the truth."""
    config: tyro.conf.OmitArgPrefixes[EvaluationConfig] = field(default_factory=EvaluationConfig)
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    """Which shards belong to the split; as in training."""
    per_class: Path | None = None
    """CSV file to write: positives and average precision of every class."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Score, and print the scores; return 0."""
        self.config.check_splits(self.splits)
        data = Dataset.open(self.data, splits=self.splits, quiet=self.json)
        scores = evaluate(self.predictions, data, self.config, per_class=self.per_class)
        if self.json:
            print_json(scores)
        else:
            title = f"{self.predictions}: {scores['videos']:,} videos of {data.location}"
            _print(scores, self.config.top_k, title)
        return 0


def _print(scores: dict[str, Any], top_k: int, title: str) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("metric")
    table.add_column("value", justify="right")
    if scores["bootstrap"]:
        table.add_column("95 % interval", justify="center")
    table.add_column("meaning")
    for name, about in score_meanings(scores, top_k):
        low_high = scores.get(f"{name}_interval")
        edges = [" to ".join(map(_number, low_high or [None]))] if scores["bootstrap"] else []
        table.add_row(name, _number(scores[name]), *edges, about)
    STDOUT.print(title, highlight=False, markup=False, soft_wrap=True)
    print_table(table)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
