"""Steps that judge predictions: scores with intervals, differences by the same draws of videos."""

import dataclasses
from pathlib import Path

import numpy as np
import torch

from reeltag.core.files import write_json
from reeltag.data.dataset import Dataset
from reeltag.evaluation.bootstrap import Bootstrap, interval
from reeltag.evaluation.compare import compare as compare_files
from reeltag.evaluation.evaluate import evaluate
from reeltag.papers.common.splits.segments import Judges
from reeltag.papers.common.work.files import CROSS_ENTROPY, OUT_OF_FOLD, PREDICTIONS, SCORES
from reeltag.pipeline.steps import step_function


@step_function("score", version=1)
def score(
    out: Path,
    predictions: Path,
    data: Path,
    *,
    judges: Judges,
    k: int = 100_000,
    bootstrap: int = 1000,
    seed: int = 0,
) -> None:
    """Score predictions into `scores.json` (as `reeltag evaluate --json`) and `classes.csv`.

    Args:
        out: of the step.
        predictions: folder of a step that made predictions of the judges' videos.
        data: the data folder.
        judges: which videos and classes.
        k: K of MAP@K, the mean over all classes with a rated positive.
        bootstrap: replicates of the interval.
        seed: of the bootstrap.
    """
    answer = evaluate(
        predictions / PREDICTIONS,
        Dataset.open(data, splits=judges.truth_splits),
        split=judges.truth,
        k=k,
        average_over="rated",
        bootstrap=bootstrap,
        seed=seed,
        per_class=out / "classes.csv",
    )
    write_json(out / SCORES, answer)


@step_function("compare", version=1)
def compare(
    out: Path,
    data: Path,
    *predictions: Path,
    judges: Judges,
    k: int = 100_000,
    bootstrap: int = 1000,
    seed: int = 0,
) -> None:
    """Write the difference of the first predictions from each other, by the same draws of videos.

    Args:
        out: of the step; gets `scores.json`, a list of what `reeltag compare --json` says of each.
        data: the data folder.
        *predictions: folders of steps that made predictions; the first is compared with the rest.
        judges: as in `score`; so are `k`, `bootstrap` and `seed`.
        k: see `score`.
        bootstrap: see `score`.
        seed: see `score`.
    """
    first, *others = [folder / PREDICTIONS for folder in predictions]
    dataset = Dataset.open(data, splits=judges.truth_splits)
    found = [
        compare_files(
            [first],
            [other],
            dataset,
            split=judges.truth,
            k=k,
            average_over="rated",
            bootstrap=bootstrap,
            seed=seed,
        )
        for other in others
    ]
    named = [{name: dataclasses.asdict(of) for name, of in one.items()} for one in found]
    write_json(out / SCORES, named)


@step_function("score_videos", version=1)
def score_videos(
    out: Path,
    predictions: Path,
    data: Path,
    *,
    judges: Judges,
    bootstrap: int = 1000,
    seed: int = 0,
) -> None:
    """Score predictions into `scores.json`, as `reeltag evaluate --json`, and `classes.csv`.

    Beside these, `bce` with `bce_interval`, the mean over videos and classes, where all classes
    were scored; and `out_of_fold`, GAP@20 of the training videos, where these were.

    Args:
        out: of the step.
        predictions: folder of a step that predicts.
        data: the data folder.
        judges: which videos judge.
        bootstrap: replicates of the intervals.
        seed: of the bootstrap.
    """
    dataset = Dataset.open(data, splits=judges.splits)
    answer = evaluate(
        predictions / PREDICTIONS,
        dataset,
        split=judges.split,
        bootstrap=bootstrap,
        seed=seed,
        per_class=out / "classes.csv",
    )
    if (predictions / CROSS_ENTROPY).exists():
        losses = np.load(predictions / CROSS_ENTROPY)
        draws = Bootstrap(np.ones(len(losses), bool), bootstrap, seed)
        of = torch.from_numpy(losses) / len(losses)
        means = [(of @ weights_VR).numpy() for weights_VR in draws.weights()]
        value, replicates = float(losses.mean()), np.concatenate([np.zeros(0), *means])
        answer |= {"bce": value, "bce_interval": interval(value, replicates)}
    if (predictions / OUT_OF_FOLD).exists():
        seen = evaluate(predictions / OUT_OF_FOLD, dataset, split="train", bootstrap=0, quiet=True)
        answer["out_of_fold"] = seen["gap@20"]
    write_json(out / SCORES, answer)


@step_function("compare_with_best", version=1)
def compare_with_best(
    out: Path, data: Path, one: Path, *others: Path, judges: Judges, bootstrap: int, seed: int = 0
) -> None:
    """Write the difference of predictions from the best of several others, by GAP@20.

    Args:
        out: of the step; gets `scores.json`: `best`, the number of the best from 0, and
            `difference`, what `reeltag compare --json` says of the two.
        data: the data folder.
        one: folder of a step that predicts.
        *others: likewise.
        judges: who judges.
        bootstrap: replicates of the intervals.
        seed: of the bootstrap.
    """
    split, dataset = judges.split, Dataset.open(data, splits=judges.splits)
    files = [folder / PREDICTIONS for folder in others]
    gaps = [
        evaluate(file, dataset, split=split, bootstrap=0, quiet=True)["gap@20"] for file in files
    ]
    best = int(np.argmax(gaps))
    found = compare_files(
        [one / PREDICTIONS],
        [files[best]],
        dataset,
        split=split,
        bootstrap=bootstrap,
        seed=seed,
    )
    named = {name: dataclasses.asdict(of) for name, of in found.items()}
    write_json(out / SCORES, {"best": best, "difference": named})
