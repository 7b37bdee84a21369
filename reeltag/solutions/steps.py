"""Steps that several solutions share: train a model, and score a split with it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reeltag.data.folding import held_out_rows
from reeltag.data.index import open_index
from reeltag.data.splits import Split, Splits
from reeltag.inference.predict import predict
from reeltag.inference.scoring import Choices
from reeltag.labels.folds import FoldConfig
from reeltag.models import ModelConfig
from reeltag.models.tagger import Tagger
from reeltag.pipeline.keys import Keyed
from reeltag.pipeline.steps import Estimate, Inside, Step
from reeltag.training.config import Recipe
from reeltag.training.fit import resume, train
from reeltag.training.soft_labels import SoftLabelConfig

RUN = "run"  # run folder inside of what a training makes
PREDICTIONS = "predictions.parquet"  # inside of what a scoring makes
ALL_VIDEOS = FoldConfig()


def trained(
    data: Keyed,
    name: str,
    *,
    family: str,
    model: ModelConfig,
    recipe: Recipe,
    init: Keyed | None = None,
    soft: Mapping[str, Any] | None = None,
    labels: Mapping[str, Keyed] | None = None,
    estimate: Callable[[], Estimate] | None = None,
) -> Step:
    """Return the step "train-<name>": a model trained; its run folder is `run_of` it.

    Args:
        data: the data set.
        name: of the model: "II-A".
        family: of the model.
        model: sizes; classes and widths are taken from the data.
        recipe: everything else, but for `init`, `soft`, and the files of `labels`.
        init: run folder to start from, `run_of(other)`.
        soft: fields of `SoftLabelConfig`, the `file` as a step's: {"file": made / "soft.parquet"}.
        labels: files of `MendingConfig`, as a step's: {"correlation": made / "P.parquet"}.
        estimate: what it will cost.
    """
    options = {"family": family, "model": model, "recipe": recipe, "init": init, "soft": soft}
    options["labels"] = labels
    return Step(
        name=f"train-{name}", fn=train_model, inputs=(data,), config=options, estimate=estimate
    )


def scored(
    run: Keyed,
    data: Keyed,
    name: str,
    *,
    splits: Splits,
    split: Split = "test",
    fold: FoldConfig = ALL_VIDEOS,
    choices: Choices,
    estimate: Callable[[], Estimate] | None = None,
) -> Step:
    """Return the step "score-<name>": a split scored; its prediction file is `predictions_of` it.

    Args:
        run: run folder of the model, `run_of(trained)`.
        data: the data set.
        name: of the model, or of what is scored.
        splits: the rule that gives a shard its split; that of the recipe.
        split: which shards.
        fold: of the training split, that of the recipe: only what was held out is scored.
        choices: what is scored, and how.
        estimate: what it will cost.
    """
    options = {"splits": splits, "split": split, "fold": fold, "choices": choices}
    return Step(
        name=f"score-{name}", fn=score_split, inputs=(run, data), config=options, estimate=estimate
    )


def run_of(training: Step) -> Inside:
    """Return the run folder that a `trained` step makes."""
    return training / RUN


def predictions_of(scoring: Step) -> Inside:
    """Return the prediction file that a `scored` step makes."""
    return scoring / PREDICTIONS


def train_model(
    out: Path,
    data: Path,
    *,
    family: str,
    model: ModelConfig,
    recipe: Recipe,
    init: Path | None,
    soft: Mapping[str, Any] | None,
    labels: Mapping[str, Path] | None = None,
) -> None:
    """Train, or go on from the last checkpoint, to the same weights."""
    run = out / RUN
    if (run / "config.json").exists():
        resume(run)
        return
    recipe = recipe if init is None else replace(recipe, init=str(init))
    if soft is not None:
        soft_labels = SoftLabelConfig(**{**soft, "file": str(soft["file"])})
        recipe = replace(recipe, soft=soft_labels)
    if labels is not None:
        files: dict[str, Any] = {name: str(file) for name, file in labels.items()}
        recipe = replace(recipe, labels=replace(recipe.labels, **files))
    train(data, run, family, model, recipe)


def score_split(
    out: Path,
    run: Path,
    data: Path,
    *,
    splits: Splits,
    split: Split,
    fold: FoldConfig = ALL_VIDEOS,
    choices: Choices,
) -> None:
    """Score, or go on from the last part that was written."""
    file = out / PREDICTIONS
    if file.exists():  # a kill between its last byte and the end of the step
        return
    index, tagger = open_index(data), Tagger.load(run)
    rows = held_out_rows(index, splits, fold) if fold.count else None
    predict(tagger, index, file, choices, split=split, splits=splits, rows=rows, run=run)
