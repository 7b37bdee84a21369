"""Soft labels: a teacher's scores of drawn segments, or predictions of whole videos."""

from dataclasses import replace
from pathlib import Path

from reeltag.data.splits import PUBLISHED_SPLITS, Splits
from reeltag.papers.common.costs import files_cost, soft_label_cost
from reeltag.papers.common.dataset_source import DataLocation, open_data
from reeltag.papers.common.steps.files import PREDICTIONS, RUN, SOFT_LABELS
from reeltag.papers.common.steps.predict import torch_device
from reeltag.pipeline.steps import step_function
from reeltag.soft_labels.conversion import convert_predictions
from reeltag.soft_labels.teacher import TeacherConfig, write_soft_labels
from reeltag.tagger.tagger import Tagger


@step_function("soft_label_segments", version=1, cost=soft_label_cost)
def soft_label_segments(
    out: Path,
    teacher: Path,
    data: DataLocation,
    *,
    choices: TeacherConfig,
    classes: tuple[int, ...] = (),
    splits: Splits = PUBLISHED_SPLITS,
    device: str = "auto",
) -> None:
    """Write a teacher's scores of drawn segments of the training videos: `soft.parquet`.

    Args:
        out: folder of the step.
        teacher: folder of a `train` step.
        data: where the data set is.
        choices: which segments are drawn, and how they are scored.
        classes: that `choices.equal`, now or later, draws for; empty = all.
        splits: the rule that gives a shard its split.
        device: where it runs.
    """
    file, run = out / SOFT_LABELS, teacher / RUN
    if not file.exists():
        tagger, data_set = Tagger.load(run), open_data(data, splits)
        choices = replace(choices, device=torch_device(device))
        write_soft_labels(tagger, data_set, file, choices, segment_classes=classes, run=run)


@step_function("soft_label_videos", version=1, cost=files_cost)
def soft_label_videos(
    out: Path, predictions: Path, data: DataLocation, *, splits: Splits, top_k: int = 50
) -> None:
    """Write predictions of the training videos as soft labels: `soft.parquet`.

    Args:
        out: folder of the step.
        predictions: a prediction file, or the folder of a step with one.
        data: where the data set is.
        splits: the rule that gives a shard its split.
        top_k: classes kept for each video.
    """
    file = predictions / PREDICTIONS if predictions.is_dir() else predictions
    data_set = open_data(data, splits)
    convert_predictions([file], data_set, out / SOFT_LABELS, top_k=top_k, overwrite=True)
