"""Predictions in a form that another process can make again: by the paths of run and data."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows
from reeltag.data.splits import PUBLISHED_SPLITS, Split, Splits
from reeltag.inference.predict import prediction_scoring
from reeltag.inference.scoring import InferenceConfig
from reeltag.inference.scoring_job import Scoring
from reeltag.labels.folds import FoldConfig
from reeltag.tagger.loading import any_tagger
from reeltag.tagger.run_files import find_run
from reeltag.tagger.tagger import AnyTagger


@dataclass(frozen=True, kw_only=True)
class PredictionJob:
    """What `reeltag.inference.predict.predict` scores, by paths.

    Attributes:
        checkpoint: run folder, WORK of a program, or file of `reeltag export`.
        data: folder of TFRecords, or one.
        splits: the rule that gives a shard its split.
        choices: what is scored, and how.
        split: which part of the data.
        fold: the fold of the training split that is scored; count 0: all of the split.
        video_run: run that scores whole videos for candidates and fusion; None: `checkpoint`.
        video_predictions: prediction file of whole videos, in place of that run.
        quiet: say nothing while the data are opened.
    """

    checkpoint: Path
    data: Path
    splits: Splits = PUBLISHED_SPLITS
    choices: InferenceConfig = field(default_factory=InferenceConfig)
    split: Split = "test"
    fold: FoldConfig = field(default_factory=FoldConfig)
    video_run: Path | None = None
    video_predictions: Path | None = None
    quiet: bool = False

    @property
    def device(self) -> str:
        """Where it is scored."""
        return self.choices.device

    @property
    def sources(self) -> tuple[Path, ...]:
        """Files and folders that it reads."""
        given = (self.checkpoint, self.data, self.video_run, self.video_predictions)
        return tuple(path for path in given if path is not None)

    def rows(self, data: Dataset) -> NDArray[np.bool_] | None:
        """Return (R,) the rows of the fold that is scored; None for all of the split."""
        return held_out_rows(data, self.fold) if self.fold.count else None

    def video_source(self) -> AnyTagger | Path | None:
        """Return the given source of candidates and fusion, or None; ConfigError for two."""
        if self.video_run is not None and self.video_predictions is not None:
            raise ConfigError("--video-run and --video-predictions both score the videos; give one")
        return self.video_predictions if self.video_run is None else any_tagger(self.video_run)

    def scoring(self, device: str) -> Scoring:
        """Return the scoring on a device, with tagger and data loaded; errors as of `predict`."""
        tagger = any_tagger(self.checkpoint)
        data = Dataset.open(self.data, splits=self.splits, quiet=self.quiet)
        return prediction_scoring(
            tagger,
            data,
            replace(self.choices, device=device),
            split=self.split,
            rows=self.rows(data),
            run=find_run(self.checkpoint),
            video_source=self.video_source(),
        )
