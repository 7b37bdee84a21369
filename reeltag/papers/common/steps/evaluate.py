"""Scores of predictions with intervals, and differences by the same draws of videos."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reeltag.core.files import write_json
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split
from reeltag.evaluation.bootstrap import Bootstrap, interval
from reeltag.evaluation.comparison import Difference
from reeltag.evaluation.comparison import compare as compare_files
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from reeltag.papers.common.costs import files_cost
from reeltag.papers.common.dataset_source import DataLocation, open_data
from reeltag.papers.common.splits.assignment import EvalSplit
from reeltag.papers.common.steps.files import CROSS_ENTROPY, OUT_OF_FOLD, PREDICTIONS, SCORES
from reeltag.pipeline.steps import step_function

K = 100_000  # of MAP@K, the mean over all classes with a rated positive


@step_function("score", version=1, cost=files_cost)
def score(
    out: Path, predictions: Path, data: DataLocation, *, evaluation: EvalSplit, bootstrap: int
) -> None:
    """Score predictions of segments into `scores.json`, as `reeltag evaluate --json`.

    Args:
        out: folder of the step; gets `classes.csv` too.
        predictions: folder of a step with predictions of the evaluated videos.
        data: where the data set is.
        evaluation: which videos and classes.
        bootstrap: replicates of the interval.
    """
    scores = evaluate(
        predictions / PREDICTIONS,
        open_data(data, evaluation.truth_splits),
        _config(evaluation, bootstrap),
        per_class=out / "classes.csv",
    )
    write_json(out / SCORES, scores)


@step_function("compare", version=1, cost=files_cost)
def compare(
    out: Path, data: DataLocation, *predictions: Path, evaluation: EvalSplit, bootstrap: int
) -> None:
    """Write the difference of the first predictions from each other, by the same draws of videos.

    Args:
        out: folder of the step; gets `scores.json`, a list of what `reeltag compare --json` writes.
        data: where the data set is.
        *predictions: folders of steps with predictions; the first is compared with the others.
        evaluation: which videos and classes.
        bootstrap: replicates of the intervals.
    """
    data_set = open_data(data, evaluation.truth_splits)
    first, *others = [folder / PREDICTIONS for folder in predictions]
    config = _config(evaluation, bootstrap)
    found = [compare_files([first], [other], data_set, config) for other in others]
    write_json(out / SCORES, [_as_json(comparison) for comparison in found])


@step_function("score_videos", version=1, cost=files_cost)
def score_videos(
    out: Path, predictions: Path, data: DataLocation, *, evaluation: EvalSplit, bootstrap: int
) -> None:
    """Score predictions of videos into `scores.json`, as `reeltag evaluate --json`.

    Where they have a cross-entropy, `bce` and `bce_interval` are its mean over videos and classes;
    where training videos were predicted out of fold, `out_of_fold` is their GAP@20.

    Args:
        out: folder of the step; gets `classes.csv` too.
        predictions: folder of a step with predictions.
        data: where the data set is.
        evaluation: which videos.
        bootstrap: replicates of the intervals.
    """
    data_set = open_data(data, evaluation.splits)
    scores = evaluate(
        predictions / PREDICTIONS,
        data_set,
        EvaluationConfig(split=evaluation.split, bootstrap=bootstrap),
        per_class=out / "classes.csv",
    )
    if (predictions / CROSS_ENTROPY).exists():
        losses = np.load(predictions / CROSS_ENTROPY)
        draws = Bootstrap(np.ones(len(losses), bool), bootstrap, 0)
        shares = torch.from_numpy(losses).unsqueeze(0) / len(losses)
        means = [weights.totals(shares)[0].numpy() for weights in draws.weights()]
        value, replicates = float(losses.mean()), np.concatenate([np.zeros(0), *means])
        scores |= {"bce": value, "bce_interval": interval(value, replicates)}
    if (predictions / OUT_OF_FOLD).exists():
        scores["out_of_fold"] = _gap(predictions / OUT_OF_FOLD, data_set, "train")
    write_json(out / SCORES, scores)


@step_function("compare_with_best", version=1, cost=files_cost)
def compare_with_best(
    out: Path, data: DataLocation, one: Path, *others: Path, evaluation: EvalSplit, bootstrap: int
) -> None:
    """Write the difference of predictions from the best of several others, by GAP@20.

    Args:
        out: folder of the step; gets `scores.json`: `best`, the number of the best from 0, and
            `difference`, the comparison as of `reeltag compare --json`.
        data: where the data set is.
        one: folder of a step with predictions.
        *others: likewise.
        evaluation: which videos.
        bootstrap: replicates of the intervals.
    """
    split, data_set = evaluation.split, open_data(data, evaluation.splits)
    files = [folder / PREDICTIONS for folder in others]
    best = int(np.argmax([_gap(file, data_set, split) for file in files]))
    config = EvaluationConfig(split=split, bootstrap=bootstrap)
    found = compare_files([one / PREDICTIONS], [files[best]], data_set, config)
    write_json(out / SCORES, {"best": best, "difference": _as_json(found)})


def _config(evaluation: EvalSplit, bootstrap: int) -> EvaluationConfig:
    return EvaluationConfig(split=evaluation.truth, k=K, average_over="rated", bootstrap=bootstrap)


def _gap(file: Path, data: Dataset, split: Split) -> float:
    scores = evaluate(file, data, EvaluationConfig(split=split, bootstrap=0), quiet=True)
    return float(scores["gap@20"])


def _as_json(found: Mapping[str, Difference]) -> dict[str, Any]:
    return {name: dataclasses.asdict(difference) for name, difference in found.items()}
