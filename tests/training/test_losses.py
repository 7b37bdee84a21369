"""--loss.*: which loss is taken, what is refused, and that what is chosen trains."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from reeltag.cli.train import Train
from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.losses.asymmetric import asymmetric_loss
from reeltag.losses.cross_entropy import binary_cross_entropy, epsilon_cross_entropy
from reeltag.losses.focal import focal_loss
from reeltag.losses.pairwise import pairwise_loss, soft_ranking_loss
from reeltag.models import mix_nextvlad, moe, penalty
from reeltag.tagger.run_files import read_config
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import LOSS_NUMBERS, LossConfig, LossName, Optimisation, Recipe
from reeltag.training.fit import train
from reeltag.training.losses import LOSSES, loss_of
from reeltag.training.objectives import objective_for
from reeltag.training.run_folder import read_recipe

RECIPE = Recipe(batch_size=8, max_steps=40, optim=Optimisation(learning_rate=0.05), log_every=1)


def some_input(rng: torch.Generator) -> tuple[torch.Tensor, ...]:
    labels = (torch.rand(4, 6, generator=rng) < 0.3).float()
    return torch.randn(4, 6, generator=rng), labels, torch.rand(4, 6, generator=rng)


def test_by_default_it_is_cross_entropy_itself() -> None:
    assert loss_of(LossConfig()) is binary_cross_entropy


@pytest.mark.parametrize("name", get_args(LossName))
def test_without_numbers_each_loss_is_that_of_its_authors(
    name: LossName, rng: torch.Generator
) -> None:
    assert loss_of(LossConfig(name=name)) is LOSSES[name]
    values = loss_of(LossConfig(name=name))(*some_input(rng))
    assert values.shape == (4,) and values.isfinite().all()


def test_numbers_reach_the_loss(rng: torch.Generator) -> None:
    given = some_input(rng)
    for config, expected in (
        (LossConfig(name="focal", gamma=0.5, alpha=0.9), focal_loss(*given, gamma=0.5, alpha=0.9)),
        (
            LossConfig(name="asymmetric", gamma_pos=1, gamma_neg=3, margin=0.2),
            asymmetric_loss(*given, gamma_pos=1, gamma_neg=3, margin=0.2),
        ),
        (
            LossConfig(name="soft-ranking", margin=0, hardest=2),
            soft_ranking_loss(*given, margin=0, hardest=2),
        ),
        (
            LossConfig(name="epsilon-cross-entropy", epsilon=0.1),
            epsilon_cross_entropy(*given, epsilon=0.1),
        ),
        (LossConfig(name="pairwise-mean"), pairwise_loss(*given, mean=True)),
    ):
        assert torch.equal(loss_of(config)(*given), expected), config


def test_loss_options_are_flags_of_some_loss_and_names_have_a_loss() -> None:
    assert set(LOSSES) == set(LOSS_NUMBERS) == set(get_args(LossName))
    numbers = {number for of in LOSS_NUMBERS.values() for number in of}
    fields = {field.name for field in dataclasses.fields(LossConfig)}
    assert fields == {"name", "cross_entropy_weight", *numbers}


def test_samsungs_mix_is_their_mean_over_classes_times_the_number_of_classes(
    rng: torch.Generator,
) -> None:
    logits, labels, _ = some_input(rng)
    config = LossConfig(name="soft-ranking", cross_entropy_weight=10 / 6)
    ours = loss_of(config)(logits, labels, None).mean()
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    theirs = theirs + 0.1 * soft_ranking_loss(logits, labels).mean()
    torch.testing.assert_close(ours, 10 * theirs)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "mse"}, "loss.name is 'mse'; allowed: 'cross-entropy' or .*"),
        ({"name": "focal", "gamma": -1.0}, "loss.gamma is -1.0; allowed: a finite number"),
        ({"name": "focal", "alpha": 1.5}, r"loss.alpha is 1.5; .* in \[0, 1\]"),
        (
            {"name": "asymmetric", "margin": 1.0},
            r"loss.margin is 1.0; .* in \[0, 1\)",
        ),
        (
            {"name": "asymmetric", "gamma_neg": 0.5},
            "gamma_neg is 0.5; allowed: 0, or finite",
        ),
        (
            {"name": "asymmetric", "gamma_pos": -2.0},
            "gamma_pos is -2.0; allowed: 0, or finite",
        ),
        (
            {"name": "hinge", "margin": float("nan")},
            "loss.margin is nan; allowed: a finite",
        ),
        ({"name": "soft-ranking", "hardest": 0}, "loss.hardest is 0; allowed: an integer >= 1"),
        (
            {"name": "epsilon-cross-entropy", "epsilon": 0.0},
            "loss.epsilon is 0.0; .* > 0",
        ),
        ({"name": "focal", "cross_entropy_weight": -1.0}, "loss.cross_entropy_weight is -1.0"),
        ({"cross_entropy_weight": 1.0}, "cross-entropy is the loss already"),
        ({"gamma": 2.0}, "loss.gamma is 2.0, but cross-entropy has no such number\n.* focal: "),
        ({"name": "pairwise", "margin": 1.0}, "loss.margin .*\n.* asymmetric, hinge, hinge-rank"),
    ],
)
def test_loss_options_that_do_not_fit_raise(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        LossConfig(**change)


def test_flags_are_those_of_reeltag_train_and_go_into_the_folder(
    corpus: Path, tmp_path: Path
) -> None:
    flags = ["--loss.name=soft-ranking", "--loss.hardest=5", "--loss.cross-entropy-weight=0.5"]
    where = ["--data", str(corpus), "--out", str(tmp_path / "run"), "--tiny", "--max-steps", "2"]
    parsed = Train.parse(["moe", *where, *flags])
    assert parsed.run() == 0
    config = read_config(tmp_path / "run")
    expected = LossConfig(name="soft-ranking", hardest=5, cross_entropy_weight=0.5)
    assert read_recipe(config).loss == expected
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps(config).replace('"hardest": 5', '"hardest": 0'))
    with pytest.raises(DataError, match="recipe.loss cannot be used: loss.hardest is 0"):
        read_recipe(read_config(tmp_path / "run"), where=path)


def test_plain_model_and_a_mixture_with_its_members_pay_the_chosen_loss(
    rng: torch.Generator,
) -> None:
    recipe = Recipe(loss=LossConfig(name="asymmetric", gamma_neg=2.0))
    labels = (torch.rand(4, 5, generator=rng) < 0.3).float()
    batch = FrameBatch(
        frames=torch.randn(4, 3, 8, generator=rng),
        mask=torch.ones(4, 3, dtype=torch.bool),
        labels=labels,
        weights=torch.rand(4, 5, generator=rng),
    )

    def cost(logits: torch.Tensor) -> torch.Tensor:
        return asymmetric_loss(logits, labels, batch.weights, gamma_neg=2.0).mean()

    for family in (moe, mix_nextvlad):
        streams, classes = (("rgb", 6), ("audio", 2)), list("abcde")
        tagger = Tagger(family.TINY, streams, classes, preprocessing=PreprocessingConfig()).eval()
        loss, logs = objective_for(tagger, recipe)(batch, tagger)
        expected = cost(tagger(batch.frames, batch.mask))
        torch.testing.assert_close(logs["label_loss"], expected)
        if tagger.has_members:
            _, members = tagger.members(batch.frames, batch.mask)
            expected = expected + torch.stack([cost(member) for member in members]).sum()
        torch.testing.assert_close(loss, expected + penalty(tagger))


@pytest.mark.parametrize(
    "config",
    [
        LossConfig(name="soft-ranking"),
        LossConfig(name="soft-ranking", cross_entropy_weight=0.1),
        LossConfig(name="asymmetric"),
        LossConfig(name="focal"),
        LossConfig(name="pairwise"),
    ],
    ids=["soft-ranking", "mix", "asymmetric", "focal", "pairwise"],
)
def test_training_lowers_the_loss_and_learns_the_labels(
    config: LossConfig, corpus: Path, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(RECIPE, loss=config)
    result = train(Dataset.open(corpus), tmp_path / "run", moe.TINY, recipe)
    with (tmp_path / "run" / "metrics.csv").open() as file:
        losses = [float(row["train_loss"]) for row in csv.DictReader(file) if row["train_loss"]]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert result.best is not None and result.best > 0.6  # untrained: 0.32


def test_config_from_before_there_was_a_choice_means_cross_entropy() -> None:
    recipe = json.loads(json.dumps(dataclasses.asdict(Recipe())))
    del recipe["loss"]
    assert read_recipe({"recipe": recipe}).loss == LossConfig()
