"""Steps that ask a network about segments: of the videos that judge, or of those that teach."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from reeltag.data.dataset import Dataset
from reeltag.data.splits import PUBLISHED_SPLITS, Splits
from reeltag.inference.predict import predict
from reeltag.inference.scoring import Choices
from reeltag.papers.common.splits.segments import Judges
from reeltag.papers.common.work.files import PREDICTIONS, RUN, SOFT
from reeltag.pipeline.steps import step_function
from reeltag.predictions.file import open_predictions, prediction_writer
from reeltag.predictions.rows import PredictionRows
from reeltag.soft_labels.teacher import TeacherConfig, write_soft_labels
from reeltag.tagger.tagger import Tagger


@step_function("predict_segments", version=1)
def predict_segments(
    out: Path,
    trained: Path,
    data: Path,
    *,
    judges: Judges,
    videos: bool = False,
    precision: str = "fp32",
    device: str = "auto",
) -> None:
    """Score all segments of the rated videos that judge, for the classes that count.

    Args:
        out: of the step; gets `predictions.parquet`.
        trained: folder of a `train` step.
        data: the data folder.
        judges: which videos and classes.
        videos: score the whole videos too.
        precision: of the large products, fp32 or bf16.
        device: where it runs.
    """
    file, run = out / PREDICTIONS, trained / RUN
    if file.exists():
        return
    tagger, whole = Tagger.load(run), Dataset.open(data, splits=judges.splits)
    choices = Choices(
        videos=videos,
        segments=True,
        top_k=tagger.num_classes,
        segment_top_k=tagger.num_classes,
        segment_classes=judges.classes,
        precision=precision,  # type: ignore[arg-type]
        device=device_named(device),
    )
    rows = judges.rows(whole.index)
    predict(tagger, whole, file, choices, split=judges.split, rows=rows, run=run)


@step_function("copy_video_scores", version=1)
def copy_video_scores(out: Path, predictions: Path) -> None:
    """Give each segment what was said of its whole video: what anyone can do without segments.

    Args:
        out: of the step; gets `predictions.parquet`, the segments and classes of the given one.
        predictions: folder of a `predict_segments` step with `videos`.
    """
    given = open_predictions(predictions / PREDICTIONS)
    videos = PredictionRows.concatenate(given.rows("videos"))
    whole = videos.to_dense(given.info.num_classes, -np.inf)
    with prediction_writer(out / PREDICTIONS, given.info) as writer:
        for rows in given.rows("segments"):
            video = pc.index_in(rows.ids, value_set=videos.ids).to_numpy()
            owner = rows.row_of_entry()
            scores = whole[video[owner], rows.classes]
            best = np.lexsort((-scores, owner))  # `owner` is rising and stays so
            writer.write(dataclasses.replace(rows, classes=rows.classes[best], values=scores[best]))


@step_function("soft_label_segments", version=1)
def soften(
    out: Path,
    teacher: Path,
    data: Path,
    *,
    choices: TeacherConfig,
    classes: tuple[int, ...] = (),
    splits: Splits = PUBLISHED_SPLITS,
    device: str = "auto",
) -> None:
    """Write what a teacher thinks of drawn segments of the training videos: `soft.parquet`.

    Args:
        out: of the step.
        teacher: folder of a `train` step.
        data: the data folder.
        choices: what is drawn and asked.
        classes: that `choices.equal`, now or later, draws for; empty = all.
        splits: the rule that gives a shard its split.
        device: where it runs.
    """
    file, run = out / SOFT, teacher / RUN
    if file.exists():
        return
    tagger, whole = Tagger.load(run), Dataset.open(data, splits=splits)
    choices = dataclasses.replace(choices, device=device_named(device))
    write_soft_labels(tagger, whole, file, choices, segment_classes=classes, run=run)


def device_named(accelerator: str) -> str:
    """Return what torch calls a device that trainings call `accelerator`."""
    return {"gpu": "cuda"}.get(accelerator, accelerator)
