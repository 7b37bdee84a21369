"""`reeltag report WHAT --data DATA --out page.html`: scores, classes and moments as one page."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from reeltag.cli.run_argument import RunPath
from reeltag.core.console import print_json, say
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.evaluation.config import EvaluationConfig
from reeltag.inference.predict import weights_digest
from reeltag.inference.stream import check_output
from reeltag.predictions.file import open_predictions
from reeltag.report.results import SolveResult, find_result, read_results
from reeltag.tagger.tagger import Tagger

if TYPE_CHECKING:
    from reeltag.report.page import ReportSource

_HINT = (
    "Give predictions (`reeltag predict`), a run folder (`reeltag train`), or the folder WORK of "
    "`reeltag solve NAME --out WORK`, which writes WORK/NAME.json at its end."
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Draw scores, classes and moments as one HTML page for any browser.

    The page needs no network and no script: scores with intervals, a paper's tables and ours,
    training curves, classes and why the worst are hard, calibration, scores over time of some
    videos, tags of others. Sections without input are left out, and the page names them.
    """

    what: Annotated[tuple[RunPath, ...], tyro.conf.Positional, tyro.conf.arg(metavar="WHAT")]
    """Predictions (Parquet), a run folder, or the WORK of `reeltag solve`; several WORK/NAME.json
    are the same solution with several seeds."""
    data: Path | None = None
    """Folder of TFRecords (or one TFRecord) with the truth; predictions need it."""
    out: Path
    """The .html file to write, or to replace."""
    run_folder: Annotated[RunPath | None, tyro.conf.arg(name="run", metavar="RUN")] = None
    """Run folder of the model, for its training curves and configuration. None: that of WHAT; of a
    WORK the one that made the predictions."""
    predictions: Annotated[Path | None, tyro.conf.arg(metavar="P")] = None
    """Predictions to show, where WHAT is a run folder or a WORK. None: of a WORK its last."""
    stage: str = ""
    """Step of a WORK whose predictions are shown: II-C, score-II-C."""
    split: Literal["train", "validate", "test", "all"] | None = None
    """Score all videos of this split; None: the predicted videos alone."""
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    moments: Annotated[Path | None, tyro.conf.arg(metavar="M.csv")] = None
    """Moments to show over time, as `reeltag moments --csv` writes them."""
    events: Annotated[Path | None, tyro.conf.arg(metavar="E.csv")] = None
    """Events to compare --moments with, whose times are known: columns id (or file), start_s,
    end_s, class."""
    bootstrap: int = 200
    """Bootstrap replicates for the intervals; 0 = no intervals."""
    examples: int = 2
    """Videos shown over time: this many of the best, of the worst, and at random."""
    videos: tuple[str, ...] = ()
    """Ids of further videos to show over time."""
    seed: int = 0
    """Random seed of the examples."""
    json: bool = False
    """Print one JSON object on stdout: the scores, the page, the sections left out."""

    def run(self) -> int:
        """Score, draw, and log the path of the page; return 0."""
        from reeltag.report.page import Examples, write_report  # these need the extra

        if self.examples < 0:
            raise ConfigError(f"must be at least 0, got {self.examples}", where="--examples")
        check_output(self.out, overwrite=True, flag="--out page.html")
        if self.run_folder is not None and not self.run_folder.is_dir():
            raise DataError(
                "is not there, or no folder",
                where=self.run_folder,
                hint="Give the folder that `reeltag train` made, or leave out --run.",
            )
        source = dataclasses.replace(self._find_source(), moments=self.moments, events=self.events)
        self._check_moments(source)
        config = EvaluationConfig(split=self.split, bootstrap=self.bootstrap)
        if source.predictions is not None:
            config.check_splits(self.splits)
        examples = Examples(count=self.examples, seed=self.seed, videos=self.videos)
        scores = write_report(self.out, source, config, examples=examples, quiet=self.json)
        if self.json:
            about: dict[str, Any] = {"page": str(self.out)}
            about["predictions"] = source.predictions and str(source.predictions)
            about["solution"] = source.result and source.result.solution
            print_json(about | scores)
            return 0
        for sentence in scores["left_out"]:
            say(f"not on the page: {sentence}")
        say(f"{self.out} ({self.out.stat().st_size / 1e6:.1f} MB)")
        return 0

    def _find_source(self) -> "ReportSource":
        """Return the predictions, run and result that WHAT names."""
        first = self.what[0]
        result = None
        if first.is_dir():
            found = find_result(first)
            if found is not None:
                result = self._result([found, *self.what[1:]])
            elif (first / "config.json").is_file():
                self._check_alone("a run folder")
                return self._source(self.predictions, self.run_folder or first, None)
            else:
                raise DataError("is neither a run folder nor a WORK", where=first, hint=_HINT)
        elif first.suffix == ".json":
            result = self._result(self.what)
        if result is not None:
            return self._of_result(result)
        self._check_alone("a file of predictions")
        if self.predictions is not None:
            raise ConfigError(f"{first} is one already", where="--predictions", hint=_HINT)
        open_predictions(first)
        return self._source(first, self.run_folder, None)

    def _check_moments(self, source: "ReportSource") -> None:
        if self.events is not None and self.moments is None:
            what = "has no effect without moments"
            raise ConfigError(what, where="--events", hint="Give them with --moments M.csv.")
        if self.moments is not None and source.data is None:
            what = "needs the data that were searched"
            raise ConfigError(what, where="--moments", hint="Give them with --data DATA.")

    def _result(self, paths: Sequence[Path]) -> SolveResult:
        files = [(find_result(path) or path) if path.is_dir() else path for path in paths]
        return read_results(files)

    def _of_result(self, result: SolveResult) -> "ReportSource":
        predictions = self.predictions
        if predictions is None and (self.data is not None or self.stage):
            found = result.predictions(self.stage)
            predictions = found[1] if found else None
        run = self.run_folder
        if run is None and predictions is not None:
            of = open_predictions(predictions).info.run
            run = Path(of) if of and Path(of).is_dir() else None
        return self._source(predictions, run, result)

    def _source(
        self, predictions: Path | None, run: Path | None, result: SolveResult | None
    ) -> "ReportSource":
        from reeltag.report.page import ReportSource

        if self.stage and result is None:
            raise ConfigError(
                "applies to a WORK of `reeltag solve` alone", where="--stage", hint=_HINT
            )
        if predictions is not None and self.data is None:
            of = open_predictions(predictions).info.data
            raise ConfigError(
                "give the data that were predicted with --data DATA",
                hint=f"{predictions} was made with --data {of}." if of else "",
            )
        if self.videos and predictions is None:
            raise ConfigError("has no effect without predictions", where="--videos", hint=_HINT)
        if predictions is not None and run is not None:
            _check_weights(predictions, run)
        data = None
        if predictions is not None and self.data is not None:
            data = Dataset.open(self.data, splits=self.splits, quiet=True)
        return ReportSource(predictions=predictions, data=data, run=run, result=result)

    def _check_alone(self, kind: str) -> None:
        if len(self.what) > 1:
            raise ConfigError(
                f"takes one thing, got {len(self.what)}, of which {self.what[0]} is {kind}",
                where="WHAT",
                hint="Several files must be results of the same solution (WORK/NAME.json). "
                "`reeltag compare` compares predictions.",
            )


def _check_weights(predictions: Path, run: Path) -> None:
    """Log where predictions were made with other weights than a run has now."""
    of = open_predictions(predictions).info.weights
    has_weights = (run / "model.safetensors").is_file()
    if of and has_weights and of != weights_digest(Tagger.load(run)):
        say(
            f"{predictions} was predicted with other weights than those that {run} has now: its "
            "scores and the curves of the run do not belong together"
        )
