"""Predictions of networks: of the segments and the whole videos that are evaluated, or by folds.

    predicted = step(predict_segments, trained, data, name="II-A", evaluation=evaluation)
    folds = [step(train, data, name=f"fcn-{k}", ...) for k in range(5)]  # each without fold k
    inference = InferenceConfig()
    predicted = step(predict_folds, data, *folds, name="fcn", splits=splits, inference=inference)
    step(predict_videos, data, student, name="student", splits=splits, inference=inference)

One network's predictions go on where a killed call stopped; several networks' start over.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.core.files import whole_file
from reeltag.core.id_places import IdPlaces
from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows
from reeltag.data.items import VideoSet, unaligned_ratings
from reeltag.data.splits import Split, Splits
from reeltag.inference.predict import check_fit, predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.labels.folds import FoldConfig
from reeltag.papers.common.costs import files_cost, predict_segments_cost, predict_videos_cost
from reeltag.papers.common.dataset_source import DataLocation, open_data
from reeltag.papers.common.splits.assignment import EvalSplit
from reeltag.papers.common.steps.files import CROSS_ENTROPY, OUT_OF_FOLD, PREDICTIONS, RUN
from reeltag.papers.common.steps.scorer import EnsembleScorer
from reeltag.pipeline.steps import step_function
from reeltag.predictions.file import PredictionInfo, open_predictions, prediction_writer
from reeltag.predictions.rows import PredictionRows
from reeltag.tagger.tagger import Tagger


@step_function("predict_segments", version=1, cost=predict_segments_cost)
def predict_segments(
    out: Path,
    trained: Path,
    data: DataLocation,
    *,
    evaluation: EvalSplit,
    videos: bool = False,
    precision: Literal["fp32", "bf16"] = "fp32",
    device: str = "auto",
) -> None:
    """Score all segments of the evaluated videos that have ratings, for the evaluated classes.

    Where ratings are of other windows than 5-second segments, exactly the rated windows are scored.

    Args:
        out: folder of the step; gets `predictions.parquet`.
        trained: folder of a `train` step.
        data: where the data set is.
        evaluation: which videos and classes.
        videos: score the whole videos too.
        precision: of the large products.
        device: where it runs.
    """
    file, run = out / PREDICTIONS, trained / RUN
    if file.exists():
        return
    tagger, data_set = Tagger.load(run), open_data(data, evaluation.splits)
    choices = InferenceConfig(
        videos=videos,
        segments=True,
        rated=unaligned_ratings(data_set) > 0,
        top_k=tagger.num_classes,
        segment_top_k=tagger.num_classes,
        segment_classes=evaluation.classes,
        precision=precision,
        device=torch_device(device),
    )
    predict(
        tagger,
        data_set,
        file,
        choices,
        split=evaluation.split,
        rows=evaluation.rows(data_set),
        run=run,
    )


@step_function("copy_video_scores", version=1, cost=files_cost)
def copy_video_scores(out: Path, predictions: Path) -> None:
    """Give each segment the scores of its whole video: the baseline without segments.

    Args:
        out: folder of the step; gets `predictions.parquet`, with the given segments and classes.
        predictions: folder of a `predict_segments` step with `videos`.
    """
    given = open_predictions(predictions / PREDICTIONS)
    videos = PredictionRows.concatenate(given.rows("videos"))
    scores_VC = videos.to_dense(given.info.num_classes, -np.inf)
    places = IdPlaces(videos.ids)
    with prediction_writer(out / PREDICTIONS, given.info) as writer:
        for rows in given.rows("segments"):
            video = places.of(rows.ids)
            assert video.min(initial=0) >= 0, "a segment of a video that was not predicted"
            owner = rows.row_of_entry()
            scores = scores_VC[video[owner], rows.classes]
            best = np.lexsort((-scores, owner))  # `owner` ascends and stays so
            writer.write(dataclasses.replace(rows, classes=rows.classes[best], values=scores[best]))


@step_function("predict_videos", version=1, cost=predict_videos_cost)
def predict_videos(
    out: Path,
    data: DataLocation,
    *trained: Path,
    splits: Splits,
    inference: InferenceConfig,
    split: Split = "test",
    cross_entropy: bool = True,
    device: str = "auto",
) -> None:
    """Score the videos of a split by the mean probability of one or more networks.

    Args:
        out: folder of the step; gets `predictions.parquet`.
        data: where the data set is.
        *trained: folders of `train` steps, of one family.
        splits: the rule that gives a shard its split.
        inference: how; its device is replaced.
        split: which videos.
        cross_entropy: write that of each video too, `cross_entropy.npy`; without it one network's
            predictions go on where a killed call stopped.
        device: where it runs.
    """
    runs = [folder / RUN for folder in trained]
    taggers = [Tagger.load(run) for run in runs]
    inference, file = replace(inference, device=torch_device(device)), out / PREDICTIONS
    data_set = open_data(data, splits)
    if len(runs) == 1 and not cross_entropy:
        if not file.exists():
            predict(taggers[0], data_set, file, inference, split=split, run=runs[0])
        return
    scorer = EnsembleScorer(taggers, inference, cross_entropy=cross_entropy)
    info = _info(taggers, data_set, inference, split)
    if len(runs) == 1:
        info = replace(info, run=str(runs[0].resolve()))
    items = _items(data_set, taggers[0], split)
    with prediction_writer(file, info) as writer:
        for batch in track(scorer.batches(items), f"predicting {split}"):
            writer.write(scorer.rows(batch))
    if cross_entropy:
        with whole_file(out / CROSS_ENTROPY) as part, part.open("wb") as opened:
            np.save(opened, scorer.cross_entropy())


@step_function("predict_folds", version=1, cost=predict_videos_cost)
def predict_folds(
    out: Path,
    data: DataLocation,
    *trained: Path,
    splits: Splits,
    inference: InferenceConfig,
    device: str = "auto",
) -> None:
    """Score each training video by the network that has not seen it, test videos by the mean.

    Args:
        out: folder of the step; gets `out_of_fold.parquet` and what `predict_videos` writes.
        data: where the data set is.
        *trained: folders of `train` steps; network k was trained without fold k.
        splits: the rule that gives a shard its split.
        inference: how; its device is replaced.
        device: where it runs.
    """
    taggers = [Tagger.load(folder / RUN) for folder in trained]
    inference = replace(inference, device=torch_device(device))
    data_set = open_data(data, splits)
    if not (out / OUT_OF_FOLD).exists():
        info = _info(taggers, data_set, inference, "train")
        with prediction_writer(out / OUT_OF_FOLD, info) as writer:
            for number, tagger in enumerate(taggers):
                fold = FoldConfig(count=len(trained), hold_out=number)
                scorer = EnsembleScorer([tagger], inference, cross_entropy=False)
                rows = held_out_rows(data_set, fold)
                items = _items(data_set, tagger, "train", rows)
                for batch in track(scorer.batches(items), f"predicting fold {number}"):
                    writer.write(scorer.rows(batch))
    predict_videos(out, data, *trained, splits=splits, inference=inference, device=device)


def torch_device(accelerator: str) -> str:
    """Return torch's name of a device that trainings call `accelerator`."""
    return {"gpu": "cuda"}.get(accelerator, accelerator)


def _items(
    data: Dataset, tagger: Tagger, split: Split, rows: NDArray[np.bool_] | None = None
) -> VideoSet:
    """Return the videos of a split, or those of its records that `rows` marks."""
    check_fit(tagger, data, InferenceConfig())
    return data.videos(split, streams=tuple(name for name, _ in tagger.streams), rows=rows)


def _info(
    taggers: Sequence[Tagger], data: Dataset, inference: InferenceConfig, split: Split
) -> PredictionInfo:
    family = taggers[0].family
    return PredictionInfo(
        num_classes=taggers[0].num_classes,
        top_k=min(inference.top_k, taggers[0].num_classes),
        family=family if len(taggers) == 1 else f"{len(taggers)} {family}",
        data=data.whole_location,
        split=split,
    )
