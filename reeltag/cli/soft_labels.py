"""`reeltag soft-labels`: a teacher's probabilities of the training data, as labels of a student."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import tyro

from reeltag.cli.next_command import batch_option, changed_options, print_next
from reeltag.cli.predict import trained_splits
from reeltag.cli.run_argument import RunPath
from reeltag.core.console import STDOUT, print_json
from reeltag.core.errors import ConfigError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.inference.shares import score_on_workers
from reeltag.inference.stream import Outcome, Output, check_output
from reeltag.pipeline.worker_config import WorkerConfig
from reeltag.soft_labels.conversion import convert_predictions, draw_soft_labels
from reeltag.soft_labels.soft_label_job import SoftLabelJob
from reeltag.soft_labels.storage import SoftLabelInfo
from reeltag.soft_labels.teacher import TeacherConfig
from reeltag.tagger.run_files import find_run


@dataclass(frozen=True, kw_only=True)
class SoftLabels:
    """Write a teacher's probabilities of the training data, as soft labels for a student.

    By default of n segments for each label of a video, and of these the video's own labels (OPPO):

        reeltag soft-labels RUN --data DATA --out SOFT.parquet --equal 1000
        reeltag train nextvlad --data DATA --items segments --soft.file SOFT.parquet --out RUN2

    With --videos of whole videos. With --from out of prediction files, such as those of all folds
    (`reeltag train ... --fold.count 5 --fold.hold-out K`, then `reeltag predict --split train` with
    the same); or, with --equal, out of soft labels. A run that was stopped goes on when the same
    command is given again.
    """

    checkpoint: Annotated[RunPath | None, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = None
    """Run of the teacher: a folder, hf://user/name or WORK of `reeltag solve`."""
    data: Path
    """Folder of TFRecords (or one TFRecord)."""
    out: Path
    """Parquet file to write: id, start_s (null for a whole video), classes, probs, drawn_for."""
    from_: Annotated[tuple[Path, ...], tyro.conf.arg(name="from")] = ()
    """Prediction files to convert instead, or one file of soft labels for --equal."""
    split: Literal["train", "validate", "test", "all"] = "train"
    """Which part of the data."""
    train: str | None = None
    """Pattern of the training shards, relative to DATA; None: as the teacher was trained (with
    --from: by the published names)."""
    validate: str | None = None
    """Pattern of the validation shards, likewise."""
    test: str | None = None
    """Pattern of the test shards, likewise."""
    choices: tyro.conf.OmitArgPrefixes[TeacherConfig] = field(default_factory=TeacherConfig)
    classes: Path | None = None
    """CSV file with a column Index: --equal draws for these classes only, and keeps only these.
    None: segment_label_ids.csv, where it is in the data folder."""
    on: tyro.conf.OmitArgPrefixes[WorkerConfig] = field(default_factory=WorkerConfig)
    overwrite: bool = False
    """Replace the file if it is there."""
    restart: bool = False
    """Begin again where an interrupted run could be continued."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Write the file, and print what is in it."""
        check_output(self.out, overwrite=self.overwrite)
        if (self.checkpoint is None) == (not self.from_):
            raise ConfigError("give either the RUN of a teacher, or files with --from")
        pa.set_memory_pool(pa.system_memory_pool())  # gives back what is freed; the default hoards
        if self.checkpoint is not None:
            outcome = self._score(find_run(self.checkpoint))
        elif SoftLabelInfo.marks(self.from_[0]):
            outcome = self._draw()
        else:
            outcome = self._convert()
        if self.json:
            print_json(_described(outcome))
        else:
            _print(outcome)
            print_next(*self._train_words(outcome))
        return 0

    def _train_words(self, outcome: Outcome) -> list[object]:
        """Return the command that trains a student: as its teacher was, where there is one."""
        items = "segments" if "segments" in outcome.rows else "videos"
        words: list[object] = ["--data", self.data, "--soft.file", outcome.path, "--items", items]
        if self.checkpoint is not None:
            run = find_run(self.checkpoint)
            words = ["--config", run / "config.json", *words, "--init", run]
        else:
            train, validate, test = (of or "" for of in (self.train, self.validate, self.test))
            splits = Splits(train=train, validate=validate, test=test)
            data = Dataset.open(self.data, splits=splits, quiet=True)
            family = "moe_16" if data.kind == "video" else "nextvlad"
            words = [family, *words, *changed_options(splits), *batch_option(family, data)]
        return ["train", *words, "--out", "RUN2"]

    def _score(self, run: Path) -> Outcome:
        """Score the training data with the teacher in a run folder."""
        splits = trained_splits(run, self.train, self.validate, self.test)
        job = SoftLabelJob(
            run=run,
            data=self.data,
            splits=splits,
            choices=self.choices,
            split=self.split,
            classes=self.classes,
            quiet=self.json,
        )
        out = Output(self.out, overwrite=self.overwrite, restart=self.restart)
        if self.on.is_divided:
            return score_on_workers(job, out, self.on)
        return job.scoring(job.device).write(out)

    def _convert(self) -> Outcome:
        """Convert prediction files."""
        if self.choices.equal and self.from_[0].is_file():
            raise ConfigError("--equal draws from soft labels, and --from names predictions")
        splits = Splits(train=self.train or "", validate=self.validate or "", test=self.test or "")
        return convert_predictions(
            self.from_,
            Dataset.open(self.data, splits=splits, quiet=self.json),
            self.out,
            top_k=self.choices.top_k,
            split=self.split,
            overwrite=self.overwrite,
        )

    def _draw(self) -> Outcome:
        """Draw some segments of a file of soft labels."""
        if len(self.from_) > 1 or not self.choices.equal:
            raise ConfigError(
                f"{self.from_[0]} holds soft labels already: give it alone, and with --equal M"
            )
        return draw_soft_labels(
            self.from_[0],
            self.out,
            self.choices.equal,
            segment_classes=ClassList.open(self.classes).listed if self.classes else (),
            keep_outside=self.choices.keep_outside,
            overwrite=self.overwrite,
        )


def _described(outcome: Outcome) -> dict[str, Any]:
    described = dataclasses.asdict(outcome)
    rows = described.pop("rows")
    del described["videos"]
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
        f"{outcome.path}: soft labels of {rows}, in {outcome.seconds:.1f} s "
        f"({new / max(outcome.seconds, 1e-9):,.0f}/s)",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if outcome.skipped:
        STDOUT.print(f"{outcome.skipped:,} broken records were skipped", highlight=False)
