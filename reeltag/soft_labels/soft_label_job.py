"""Soft labels in a form that another process can make again: by the paths of run and data."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from reeltag.core.console import say
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import PUBLISHED_SPLITS, Split, Splits
from reeltag.inference.scoring_job import Scoring
from reeltag.soft_labels.teacher import TeacherConfig, soft_label_scoring
from reeltag.tagger.tagger import Tagger


@dataclass(frozen=True, kw_only=True)
class SoftLabelJob:
    """What `reeltag.soft_labels.teacher.write_soft_labels` scores, by paths.

    Attributes:
        run: run folder of the teacher.
        data: folder of TFRecords, or one.
        splits: the rule that gives a shard its split.
        choices: what is scored, and how.
        split: which part of the data.
        classes: CSV file of the classes that draws of `choices.equal` are for; None: that of the
            data, where there is one, else all.
        quiet: say nothing while the data are opened.
    """

    run: Path
    data: Path
    splits: Splits = PUBLISHED_SPLITS
    choices: TeacherConfig = field(default_factory=TeacherConfig)
    split: Split = "train"
    classes: Path | None = None
    quiet: bool = False

    @property
    def device(self) -> str:
        """Where it is scored."""
        return self.choices.device

    @property
    def sources(self) -> tuple[Path, ...]:
        """Files and folders that it reads."""
        return (self.run, self.data, *([] if self.classes is None else [self.classes]))

    def scoring(self, device: str) -> Scoring:
        """Return the scoring on a device, with teacher and data loaded."""
        tagger = Tagger.load(self.run)
        data = Dataset.open(self.data, splits=self.splits, quiet=self.quiet)
        return soft_label_scoring(
            tagger,
            data,
            replace(self.choices, device=device),
            split=self.split,
            segment_classes=self._segment_classes(data),
            run=self.run,
        )

    def _segment_classes(self, data: Dataset) -> tuple[int, ...]:
        """Return the classes that draws are for; empty = all."""
        if self.choices.videos:
            return ()
        if self.classes is not None:
            return ClassList.open(self.classes).listed
        listed = data.segment_classes()
        if listed is None:
            return ()
        say(f"equal draws are for the classes of {listed.source}")
        return listed.listed
