"""`reeltag report P --data DATA --out page.html`: predictions and scores as one page of plots."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from reeltag.core.console import print_json, say
from reeltag.core.errors import DataError
from reeltag.data.splits import Splits
from reeltag.inference.evaluate import evaluate
from reeltag.report.page import write_report


@dataclass(frozen=True, kw_only=True)
class Report:
    """Draw predictions and their scores as one HTML page, to be opened in any browser.

    The page needs no network and no script: scores with intervals, training curves, classes by
    frequency, calibration, scores over time of some videos, tags of others.
    """

    predictions: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="P")]
    """Parquet file that `reeltag predict` made."""
    data: Path
    """Folder of TFRecords (or one TFRecord) with the truth."""
    out: Path
    """The .html file to write; one that is there is replaced."""
    run_folder: Annotated[Path | None, tyro.conf.arg(name="run", metavar="RUN")] = None
    """Run folder of the model, for its training curves and configuration."""
    split: Literal["train", "validate", "test", "all"] | None = None
    """All videos of this split count; None: only the videos that P is about."""
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    bootstrap: int = 200
    """Replicates for the intervals; 0 = no intervals."""
    json: bool = False
    """Print the scores as one JSON object on stdout, and nothing else there."""

    def run(self) -> int:
        """Score, draw, and say where the page is; 0."""
        if self.run_folder is not None and not self.run_folder.is_dir():
            raise DataError(
                "is not there, or no folder",
                where=self.run_folder,
                hint="Give the folder that `reeltag train` made, or leave out --run.",
            )
        scores: dict[str, Any] = evaluate(
            self.predictions,
            self.data,
            split=self.split,
            splits=self.splits,
            bootstrap=self.bootstrap,
            quiet=self.json,
        )
        write_report(
            self.run_folder,
            scores,
            self.predictions,
            self.data,
            self.out,
            split=self.split,
            splits=self.splits,
        )
        if self.json:
            print_json({"page": str(self.out)} | scores)
        else:
            say(f"{self.out} ({self.out.stat().st_size / 1e6:.1f} MB)")
        return 0
