"""What steps cost before any like them were measured: one rule per kind of step.

Operations over a round number for the machine. `reeltag.pipeline.planning` scales an estimate by
what steps of its kind took in the same folder, so that the first of them matter most.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.data.dataset import Dataset
from reeltag.data.items import SEGMENT_SECONDS
from reeltag.data.selection import column_of, lists_of
from reeltag.data.splits import Split, Splits
from reeltag.models import ModelConfig
from reeltag.papers.common.dataset_source import DatasetSource, open_data
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.splits.assignment import EvalSplit, num_rated, rows_in, shards_of
from reeltag.pipeline.steps import Estimate, Step, ordered

_CPU, _GPU = 4e10, 2e13  # useful operations per second of a CPU's thread, of a GPU
_READ_FRAME = 1e-5  # seconds to read and hand over a frame, on a CPU
_READ_PAIR, _PAIR_BYTES = 1e-6, 6  # a class and its score in a file of predictions
_PAIRS = 50  # classes kept of a video
_TRAININGS = "train", "regress_frames"


def train_cost(step: Step) -> Estimate:
    """Return the cost of a training: 3 passes over the items of its recipe."""
    data, recipe, model = _data_of(step), step.config["recipe"], step.config["model"]
    rows, length = _rows(data, recipe.splits), _lengths(step, data)
    if recipe.items == "segments":
        items, frames = float(num_rated(data)[rows].sum()), float(SEGMENT_SECONDS)
    else:
        items, frames = float(rows.sum()), _frames_seen(recipe, length[rows])
    items *= 1 - 1 / recipe.fold.count if recipe.fold.count else 1
    fields = step.config.get("fields") or {}
    if "soft.file" in fields and recipe.items == "segments":
        items += _num_drawn(fields["soft.file"].node, data, fields.get("soft.equal", 0))
    seen = recipe.max_steps * recipe.batch_size or items * recipe.epochs
    return Estimate(seconds=_seconds(model, data, 3 * seen, frames), bytes=4 * _size(model, data))


def predict_segments_cost(step: Step) -> Estimate:
    """Return the cost of scoring every segment of the evaluated videos."""
    data, evaluation = _data_of(step), step.config["evaluation"]
    rows = evaluation.rows(data) & _rows(data, evaluation.splits, evaluation.split)
    segments = float(column_of(data.table, "frames")[rows].sum()) // SEGMENT_SECONDS
    pairs = round(segments) * _num_evaluated(evaluation, data)
    seconds = _seconds(_models_of(step)[0], data, segments, SEGMENT_SECONDS)
    return Estimate(seconds=seconds, bytes=pairs * _PAIR_BYTES)


def predict_videos_cost(step: Step) -> Estimate:
    """Return the cost of scoring whole videos: each network those of the split, and of its fold."""
    data, models, splits = _data_of(step), _models_of(step), step.config["splits"]
    rows = _rows(data, splits, step.config.get("split", "test"))
    passes, length = float(rows.sum()) * len(models), _lengths(step, data)
    if "split" not in step.config:  # folds: the training videos too, each by one network
        trained = _rows(data, splits)
        passes, rows = passes + float(trained.sum()), rows | trained
    top_k = min(step.config["inference"].top_k, data.num_classes)
    seconds = _seconds(models[0], data, passes, float(length[rows].mean()))
    return Estimate(seconds=seconds, bytes=int(rows.sum()) * top_k * _PAIR_BYTES)


def soft_label_cost(step: Step) -> Estimate:
    """Return the cost of scoring the drawn segments."""
    data = _data_of(step)
    count = _num_drawn(step, data, step.config["choices"].equal)
    seconds = _seconds(_models_of(step)[0], data, count, SEGMENT_SECONDS)
    return Estimate(seconds=seconds, bytes=round(count) * 40)


def files_cost(step: Step) -> Estimate:
    """Return the cost of reading and writing files of predictions."""
    pairs = int(_usable(_data_of(step)).sum()) * _PAIRS
    seconds = pairs * len(step.needs) * _READ_PAIR
    return Estimate(seconds=seconds, bytes=pairs * _PAIR_BYTES)


def records_cost(step: Step) -> Estimate:
    """Return the cost of reading all frames and writing a vector per video."""
    data = _data_of(step)
    rows = _usable(data)
    frames = float(_lengths(step, data)[rows].sum())
    vector = 4 * sum(stream.width for stream in data.streams) + 100
    return Estimate(seconds=frames * _READ_FRAME, bytes=int(rows.sum()) * vector)


def model_bytes(model: ModelConfig, data: Dataset) -> int:
    """Return the bytes of a model's weights for some data, in single precision."""
    return 4 * _size(model, data)


def _data_of(step: Step) -> Dataset:
    """Return the data set that a step or one before it reads."""
    nodes = (*step.needs, *ordered(step))
    return _opened(next(node for node in nodes if isinstance(node, DatasetSource)))


@lru_cache(maxsize=4)
def _opened(source: DatasetSource) -> Dataset:
    return open_data(source.files, quiet=True)


def _models_of(step: Step) -> list[ModelConfig]:
    """Return the models that the inputs of a step have trained."""
    trained = [of for of in step.needs if isinstance(of, Step) and of.id in _TRAININGS]
    return [of.config["model"] for of in trained]


def _rows(data: Dataset, splits: Splits, split: Split = "train") -> NDArray[np.bool_]:
    return rows_in(data, shards_of(data, split, splits))


def _usable(data: Dataset) -> NDArray[np.bool_]:
    return rows_in(data, range(len(data.shards)))


def _lengths(step: Step, data: Dataset) -> NDArray[np.int64]:
    """Return (R,) frames of each video that a step reads: 1 where another step averaged them."""
    frames = column_of(data.table, "frames").astype(np.int64)
    if most := data.features.most_frames:
        frames = np.minimum(frames, most)
    reads_source = any(isinstance(node, DatasetSource) for node in step.needs)
    return frames if reads_source else np.ones_like(frames)


def _frames_seen(recipe: SplitRecipe, length: NDArray[np.int64]) -> float:
    """Return the frames of a video that a training sees, in the mean."""
    frames = float(length.mean()) if len(length) else 0.0
    if recipe.frames.how == "stride":
        return frames / (sum(recipe.frames.stride_range) / 2)
    return frames if recipe.frames.how == "all" else float(recipe.frames.num_frames)


def _num_drawn(soft: Step, data: Dataset, equal: int) -> float:
    """Return how many segments get soft labels: n per label, at most m per class."""
    rows = _rows(data, soft.config["splits"])
    labels = lists_of(data.table.filter(rows).combine_chunks(), "labels")[1]
    drawn = soft.config["choices"].per_label * np.bincount(labels, minlength=data.num_classes)
    classes = list(soft.config["classes"]) or slice(None)
    return float(np.minimum(drawn[classes], equal).sum() if equal else drawn.sum())


def _num_evaluated(evaluation: EvalSplit, data: Dataset) -> int:
    return len(evaluation.classes) or data.num_classes


def _seconds(model: ModelConfig, data: Dataset, passes: float, frames: float) -> float:
    """Return the seconds of so many passes over items; a GPU does not wait for their frames."""
    operations = 2.0 * passes * frames * _size(model, data)
    if torch.cuda.is_available():
        return operations / _GPU
    return operations / (_CPU * torch.get_num_threads()) + passes * frames * _READ_FRAME


def _size(model: ModelConfig, data: Dataset) -> int:
    dims = tuple(stream.width for stream in data.streams)
    return _num_parameters(replace(model, dims=dims, num_classes=data.num_classes))


@lru_cache(maxsize=256)
def _num_parameters(model: ModelConfig) -> int:
    with torch.device("meta"):
        return sum(value.numel() for value in model.build().parameters())
