"""`reeltag predict`: score the videos of a split, or every 5 seconds of them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import tyro

from reeltag.cli.run_argument import RunPath
from reeltag.core.console import STDOUT, print_json
from reeltag.core.errors import ConfigError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.deploy.runtime import Runtime, scored_by
from reeltag.inference.predict import predict
from reeltag.inference.prediction_job import PredictionJob
from reeltag.inference.scoring import InferenceConfig
from reeltag.inference.shares import score_on_workers
from reeltag.inference.stream import Outcome, Output
from reeltag.labels.folds import FoldConfig
from reeltag.pipeline.worker_config import WorkerConfig
from reeltag.tagger.loading import any_tagger, config_of, described_in, is_graph
from reeltag.tagger.run_files import find_run
from reeltag.training.run_folder import read_recipe, read_splits


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Score the videos of a split, or every 5-second segment of them, into a Parquet file.

    Columns: id, start_s (null for a whole video), classes and scores (logits), best first. A run
    that was stopped goes on when the same command is given again.
    """

    checkpoint: Annotated[RunPath, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|MODEL.onnx")]
    """Run folder of `reeltag train`, run on the hub (hf://user/name), WORK of `reeltag solve`, or
    file of `reeltag export`."""
    data: Path
    """Folder of TFRecords (or one TFRecord)."""
    out: Path
    """Parquet file to write."""
    split: Literal["train", "validate", "test", "all"] = "test"
    """Which part of the data."""
    train: str | None = None
    """Pattern of the training shards, relative to DATA; None: as the checkpoint was trained."""
    validate: str | None = None
    """Pattern of the validation shards, likewise."""
    test: str | None = None
    """Pattern of the test shards, likewise."""
    fold: FoldConfig = field(default_factory=FoldConfig)
    """With --split train: only the fold that was held out of the training."""
    choices: tyro.conf.OmitArgPrefixes[InferenceConfig] = field(default_factory=InferenceConfig)
    classes: Path | None = None
    """CSV file with a column Index: segments are scored for these classes only (the challenge's
    segment_label_ids.csv)."""
    video_run: RunPath | None = None
    """Run of the video model for --candidates and --video-power; None: RUN itself."""
    video_predictions: Path | None = None
    """Prediction file of whole videos, in place of that run; a class that a video's row does not
    list is no candidate."""
    runtime: Runtime = "auto"
    """What scores a run on a CPU in fp32: torch; onnx, a graph that is exported for it; auto clocks
    both where a job would take PyTorch five minutes, and takes the faster."""
    on: tyro.conf.OmitArgPrefixes[WorkerConfig] = field(default_factory=WorkerConfig)
    overwrite: bool = False
    """Replace the file if it is there."""
    restart: bool = False
    """Begin again where an interrupted run could be continued."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Predict, and print what was written."""
        out = Output(self.out, overwrite=self.overwrite, restart=self.restart)
        out.check()
        pa.set_memory_pool(pa.system_memory_pool())  # gives back what is freed; the default hoards
        if self.on.is_divided and self.runtime == "onnx":
            raise ConfigError(
                "workers score a run in PyTorch",
                where="--runtime",
                hint="Export it (`reeltag export RUN --out MODEL.onnx`), and predict the file.",
            )
        job = self._job()
        if self.on.is_divided:
            outcome = score_on_workers(job, out, self.on)
        else:
            outcome = self._alone(job, out)
        if self.json:
            print_json(_described(outcome))
        else:
            _print(outcome)
        return 0

    def _alone(self, job: PredictionJob, out: Output) -> Outcome:
        """Predict in this process."""
        tagger = any_tagger(job.checkpoint)
        data = Dataset.open(job.data, splits=job.splits, quiet=self.json)
        mine, scored = job.rows(data), data.rows(job.split)
        scored = scored if mine is None else scored[mine[scored]]
        begun = None if self.restart else self.out
        with scored_by(self.runtime, tagger, data, job.choices, rows=scored, out=begun) as scorer:
            return predict(
                scorer,
                data,
                out,
                job.choices,
                split=job.split,
                rows=mine,
                run=find_run(job.checkpoint),
                video_source=job.video_source(),
            )

    def _choices(self) -> InferenceConfig:
        if is_graph(self.checkpoint) and self.choices.precision != "fp32":
            raise ConfigError("an exported graph computes in fp32", where="--precision")
        if self.classes is None:
            return self.choices
        if self.choices.segment_classes:
            raise ConfigError(
                "--classes and --segment-classes both choose the scored classes; give one"
            )
        if not self.choices.segments:
            raise ConfigError("--classes is about segments, which need --segments")
        return dataclasses.replace(
            self.choices, segment_classes=ClassList.open(self.classes).listed
        )

    def _job(self) -> PredictionJob:
        """Return what is predicted."""
        splits = trained_splits(self.checkpoint, self.train, self.validate, self.test)
        self._check_fold(splits)
        return PredictionJob(
            checkpoint=self.checkpoint,
            data=self.data,
            splits=splits,
            choices=self._choices(),
            split=self.split,
            fold=self.fold,
            video_run=self.video_run,
            video_predictions=self.video_predictions,
            quiet=self.json,
        )

    def _check_fold(self, splits: Splits) -> None:
        """Raise ConfigError where the fold is not one of the checkpoint's training."""
        if not self.fold.count:
            return
        if self.split != "train":
            raise ConfigError(f"folds are of the split 'train', not of {self.split!r}")
        config, where = config_of(self.checkpoint), described_in(self.checkpoint)
        if "recipe" in config:
            recipe = read_recipe(config, where=where)
            elsewhere = read_splits(config, where=where) != splits
            if recipe.fold != self.fold or elsewhere:
                raise ConfigError(
                    f"the checkpoint was trained without {_described_fold(recipe.fold)}, and is "
                    f"to score {_described_fold(self.fold)}"
                    + (" of other shards" if elsewhere else "")
                    + ": its predictions would not be out-of-fold",
                    where=where,
                    hint="Give the --fold options and the patterns of the training.",
                )


def _described_fold(fold: FoldConfig) -> str:
    return f"fold {fold.hold_out} of {fold.count} (seed {fold.seed})" if fold.count else "any fold"


def trained_splits(
    checkpoint: Path, train: str | None, validate: str | None, test: str | None
) -> Splits:
    """Return the rule of a checkpoint's training, with the patterns given here in its place."""
    return splits_of(config_of(checkpoint), described_in(checkpoint), train, validate, test)


def splits_of(
    config: Mapping[str, Any],
    where: Path,
    train: str | None,
    validate: str | None,
    test: str | None,
) -> Splits:
    """Return the rule in a config.json, with the patterns given here in its place."""
    trained = Splits()
    if "data" in config:  # a tagger that was not trained here has none
        trained = read_splits(config, where=where)
    return dataclasses.replace(
        trained,
        train=trained.train if train is None else train,
        validate=trained.validate if validate is None else validate,
        test=trained.test if test is None else test,
    )


def _described(outcome: Outcome) -> dict[str, Any]:
    described = dataclasses.asdict(outcome)
    rows = described.pop("rows")
    return {
        **described,
        "path": str(outcome.path),
        "video_rows": rows.get("videos", 0),
        "segment_rows": rows.get("segments", 0),
    }


def _print(outcome: Outcome) -> None:
    rows = " and ".join(f"{number:,} {kind}" for kind, number in outcome.rows.items())
    new = outcome.videos - outcome.resumed_at
    STDOUT.print(
        f"{outcome.path}: predictions for {rows}, in {outcome.seconds:.1f} s "
        f"({new / max(outcome.seconds, 1e-9):,.0f} videos/s)",
        highlight=False,
        soft_wrap=True,
    )
    if outcome.blank:
        STDOUT.print(
            f"{outcome.blank:,} videos are blank: not scored, their rows hold no class",
            highlight=False,
        )
    if outcome.skipped:
        STDOUT.print(f"{outcome.skipped:,} broken records were skipped", highlight=False)
