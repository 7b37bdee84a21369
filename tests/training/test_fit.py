"""Training end to end on a small corpus: what a run holds, and that it can be repeated."""

import csv
import dataclasses
import itertools
import json
import math
from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import reeltag
from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError, DataError, OutputError, TrainingError
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.models import logistic, moe, nextvlad
from reeltag.tagger.run_files import read_config
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Optimisation
from reeltag.training.fit import train
from reeltag.training.objectives import supervised
from reeltag.training.run_folder import read_recipe
from tests.data.made import frame_record, rated_record, write_shard
from tests.training.short_runs import (
    FAST,
    RECIPE,
    assert_same_weights,
    last_state,
    losses_of,
    weights_of,
)


def test_run_folder_holds_all_that_is_promised(corpus: Path, tmp_path: Path) -> None:
    result = train(Dataset.open(corpus), tmp_path / "run", nextvlad.TINY, RECIPE)
    config = read_config(tmp_path / "run")
    assert config["family"] == "nextvlad" and config["streams"] == [["rgb", 16], ["audio", 4]]
    assert config["model"]["num_classes"] == 8 and config["data"]["root"] == str(corpus)
    assert read_recipe(config) == RECIPE
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["steps"] == result.steps == 12 and metrics["metric"] == "gap@20"
    assert result.best is not None and 0 < result.best <= 1 and result.best_step in (4, 8, 12)
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["step"] for r in rows if r["train_loss"]] == ["2", "4", "6", "8", "10", "12"]
    assert [r["step"] for r in rows if r["validate_gap@20"]] == ["4", "8", "12"]
    names = (tmp_path / "run" / "classes.csv").read_text().splitlines()
    assert len(names) == 9


def test_loss_falls_far_below_where_it_began(corpus: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, max_steps=60, log_every=1)
    train(Dataset.open(corpus), tmp_path / "run", moe.TINY, recipe)
    losses = losses_of(tmp_path / "run")
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_saved_tagger_predicts_as_the_trained_one(corpus: Path, tmp_path: Path) -> None:
    train(Dataset.open(corpus), tmp_path / "run", logistic.TINY, RECIPE)
    tagger = reeltag.load(tmp_path / "run")
    frames = torch.randint(0, 256, (20, 20), dtype=torch.uint8)
    tags = tagger.predict(frames, top_k=3)
    logits = tagger(frames[None], torch.ones(1, 20, dtype=torch.bool))[0].detach()
    assert [tag.index for tag in tags] == logits.topk(3).indices.tolist()
    assert tags[0].prob == pytest.approx(float(logits.max().sigmoid()))
    assert tags[0].name == tagger.class_names[tags[0].index]
    streams = {"audio": frames[:, 16:].numpy(), "rgb": frames[:, :16].numpy()}
    assert tagger.predict(streams, top_k=3) == tags
    with pytest.raises(DataError, match=r"frames must be \(T, 20\).*got \(20, 19\)"):
        tagger.predict(frames[:, :19])


@pytest.mark.parametrize("training", [True, False])
def test_tagger_predict_leaves_the_mode_as_it_was(
    corpus: Path, tmp_path: Path, training: bool
) -> None:
    train(
        Dataset.open(corpus),
        tmp_path / "run",
        nextvlad.TINY,
        dataclasses.replace(RECIPE, max_steps=1),
    )
    frames = torch.randint(0, 256, (20, 20), dtype=torch.uint8)
    expected = reeltag.load(tmp_path / "run").predict(frames)
    tagger = reeltag.load(tmp_path / "run").train(training)
    assert tagger.predict(frames) == expected
    with pytest.raises(DataError):
        tagger.predict(frames[:, :19])
    assert {module.training for module in tagger.modules()} == {training}


def test_same_config_and_seed_give_the_same_weights(corpus: Path, tmp_path: Path) -> None:
    train(Dataset.open(corpus), tmp_path / "one", nextvlad.TINY, RECIPE)
    config = read_config(tmp_path / "one")
    train(Dataset.open(corpus), tmp_path / "two", nextvlad.TINY, read_recipe(config))
    assert_same_weights(tmp_path / "one", tmp_path / "two")
    other = dataclasses.replace(RECIPE, seed=1)
    train(Dataset.open(corpus), tmp_path / "three", nextvlad.TINY, other)
    one, three = [
        weights_of(tmp_path / run)["model.classifier.hidden.weight"] for run in ("one", "three")
    ]
    assert not torch.equal(one, three)


def test_averaged_weights_are_saved_and_differ_from_the_last(corpus: Path, tmp_path: Path) -> None:
    optim = dataclasses.replace(FAST, ema=0.5)
    recipe = dataclasses.replace(RECIPE, max_steps=4, optim=optim)
    train(Dataset.open(corpus), tmp_path / "run", logistic.TINY, recipe)
    checkpoint = torch.load(tmp_path / "run" / "resume.ckpt", weights_only=False)
    saved = weights_of(tmp_path / "run")["model.head.linear.weight"]
    last = checkpoint["current_model_state"]["tagger.model.head.linear.weight"]
    assert not torch.equal(saved, last)
    torch.testing.assert_close(saved, checkpoint["state_dict"]["tagger.model.head.linear.weight"])


def test_training_stops_when_validation_no_longer_improves(corpus: Path, tmp_path: Path) -> None:
    still = Optimisation(learning_rate=1e-12)
    recipe = dataclasses.replace(RECIPE, max_steps=100, validate_every=2, patience=3, optim=still)
    result = train(Dataset.open(corpus), tmp_path / "run", logistic.TINY, recipe)
    assert result.steps == 8 and result.best_step == 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_loss_that_is_not_finite_stops_and_names_step_and_batch(
    value: float, corpus: Path, tmp_path: Path
) -> None:
    seen: list[FrameBatch] = []

    def explodes(batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        loss, logs = supervised(batch, model)
        seen.append(batch)
        return loss * (value if len(seen) == 5 else 1), logs

    recipe = dataclasses.replace(RECIPE, max_steps=40, validate_every=40, log_every=8)
    with pytest.raises(TrainingError, match=f"the loss is {value} at step 4, batch of") as caught:
        train(Dataset.open(corpus), tmp_path / "run", logistic.TINY, recipe, objective=explodes)
    assert all(video in str(caught.value) for video in seen[4].ids)
    assert len(seen) == 8  # looked at together with those that are logged at step 8
    train(
        Dataset.open(corpus),
        tmp_path / "four",
        logistic.TINY,
        dataclasses.replace(recipe, max_steps=4),
    )
    good = load_file(tmp_path / "run" / "last-good.safetensors")
    before = last_state(tmp_path / "four")
    assert all(torch.equal(part, before[f"tagger.{name}"]) for name, part in good.items())


def test_loss_that_is_not_finite_at_the_end_is_reported(corpus: Path, tmp_path: Path) -> None:
    def explodes(batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        loss, logs = supervised(batch, model)
        return loss + (math.nan if torch.is_grad_enabled() and next(calls) == 2 else 0.0), logs

    calls = itertools.count()
    recipe = dataclasses.replace(RECIPE, max_steps=3, validate_every=9, log_every=9)
    with pytest.raises(TrainingError, match="the loss is nan at step 2, batch of"):
        train(Dataset.open(corpus), tmp_path / "run", logistic.TINY, recipe, objective=explodes)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_segments_train_on_what_was_rated_alone(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = dataclasses.replace(RECIPE, items="segments", batch_size=4)
    rated = Dataset.open(corpus, splits=Splits(train="validate*", validate="test*"))
    result = train(rated, tmp_path / "run", logistic.TINY, recipe)
    assert result.metric == "map@k" and result.best is not None and result.best > 0
    logged = " ".join(capfd.readouterr().err.split())
    choices, path = InferenceConfig(segments=True, rated=True), tmp_path / "P.parquet"
    predict(Tagger.load(tmp_path / "run"), rated, path, choices, split="validate")
    found = evaluate(path, rated, EvaluationConfig(split="validate", bootstrap=0))
    assert found["map@k"] == pytest.approx(result.best, abs=1e-6)
    over = f"validate_map@k is the mean over {found['classes']} of 8 classes, those with a rated"
    assert f"{over} positive in the {len(rated.rated_segments('validate'))} validation" in logged


def test_bf16_trains_as_well(corpus: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, precision="bf16")
    result = train(Dataset.open(corpus), tmp_path / "run", nextvlad.TINY, recipe)
    assert result.best is not None and result.best > 0.2


def test_existing_run_raises(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").touch()
    with pytest.raises(OutputError, match="exists already"):
        train(Dataset.open(corpus), tmp_path / "run", logistic.TINY, RECIPE)


def test_unknown_stream_is_named_before_anything_is_made(corpus: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, streams=("smell",))
    with pytest.raises(ConfigError, match="smell"):
        train(Dataset.open(corpus), tmp_path / "run", logistic.TINY, recipe)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def unlabelled_validation(tmp_path: Path) -> Path:
    """42 labelled videos to train on, 10 without a label to validate on."""
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    trained = [frame_record(f"t{n}", labels=[n % 3]) for n in range(42)]
    write_shard(folder / "train0000.tfrecord", trained)
    validated = [frame_record(f"v{n}", labels=[]) for n in range(10)]
    write_shard(folder / "validate0000.tfrecord", validated)
    return folder


@pytest.mark.parametrize("metric", ["gap", "map"])
def test_undefined_metric_chooses_no_weights(
    unlabelled_validation: Path,
    tmp_path: Path,
    metric: Literal["gap", "map"],
    capfd: pytest.CaptureFixture[str],
) -> None:
    recipe = dataclasses.replace(RECIPE, metric=metric)
    result = train(Dataset.open(unlabelled_validation), tmp_path / "run", logistic.TINY, recipe)
    assert result.best is None and result.best_step == result.steps == 12
    last = {name.removeprefix("tagger."): of for name, of in last_state(tmp_path / "run").items()}
    for name, value in weights_of(tmp_path / "run").items():
        assert torch.equal(value, last[name]), name
    logged = " ".join(capfd.readouterr().err.split())
    assert "nothing is validated: none of the 10 validation videos has a label, and" in logged
    assert "is undefined. The last weights are kept." in logged


def test_undefined_metric_stops_no_training(unlabelled_validation: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, patience=2)
    with pytest.raises(ConfigError, match="--patience: needs a validation: none of the 10 valid"):
        train(Dataset.open(unlabelled_validation), tmp_path / "run", logistic.TINY, recipe)
    (unlabelled_validation / "validate0000.tfrecord").unlink()
    with pytest.raises(ConfigError, match="needs a validation: no shard belongs to the split"):
        train(Dataset.open(unlabelled_validation), tmp_path / "run", logistic.TINY, recipe)
    assert not (tmp_path / "run").exists()


def test_metric_of_the_first_batches_alone_may_be_undefined(
    unlabelled_validation: Path, tmp_path: Path
) -> None:
    validated = [frame_record(f"v{n}", labels=[1] * (n == 9)) for n in range(10)]
    write_shard(unlabelled_validation / "validate0000.tfrecord", validated)
    data = Dataset.open(unlabelled_validation)
    assert train(data, tmp_path / "whole", logistic.TINY, RECIPE).best is not None
    recipe = dataclasses.replace(RECIPE, validate_batches=1)
    assert train(data, tmp_path / "first", logistic.TINY, recipe).best is None


def test_ratings_without_a_class_that_is_there_choose_no_weights(tmp_path: Path) -> None:
    folder = tmp_path / "rated"
    folder.mkdir()
    for split, score in (("train", 1.0), ("validate", 0.0)):
        rated = [rated_record(f"{split}{n}", 12, [(0, n % 3, score)]) for n in range(12)]
        write_shard(folder / f"{split}0.tfrecord", rated)
    recipe = dataclasses.replace(RECIPE, items="segments")
    result = train(Dataset.open(folder), tmp_path / "run", logistic.TINY, recipe)
    assert result.best is None
