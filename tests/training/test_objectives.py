"""Objectives: what the loss of a mixture is made of, and when it is taken."""

import dataclasses
from pathlib import Path

import pytest
import torch

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.losses.distillation import mixture_divergence
from reeltag.models import ModelConfig, mix_nextvlad, moe, penalty
from reeltag.tagger.run_files import read_config
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import MemberLoss, Optimisation, Recipe
from reeltag.training.fit import train
from reeltag.training.objectives import objective_for, supervised, supervised_mixture
from reeltag.training.run_folder import read_recipe

MIXTURE = dataclasses.replace(mix_nextvlad.TINY, dropout=0.0)


def tagger_of(config: ModelConfig) -> Tagger:
    torch.manual_seed(0)
    streams, names = (("rgb", 6), ("audio", 2)), list("abcde")
    return Tagger(config, streams, names, preprocessing=PreprocessingConfig())


def some_batch(rng: torch.Generator, weights: bool = False) -> FrameBatch:
    return FrameBatch(
        frames=torch.randn(4, 3, 8, generator=rng),
        mask=torch.arange(3) < torch.tensor([[3], [2], [1], [3]]),
        labels=(torch.rand(4, 5, generator=rng) < 0.3).float(),
        weights=torch.rand(4, 5, generator=rng) if weights else None,
    )


@pytest.mark.parametrize("weights", [False, True])
def test_mixture_pays_for_itself_its_members_and_what_parts_them(
    weights: bool, rng: torch.Generator
) -> None:
    tagger, batch = tagger_of(MIXTURE), some_batch(rng, weights)
    config = MemberLoss(weight=4.0, temperature=2.0)
    loss, logs = supervised_mixture(batch, tagger, config=config)
    logits, members = tagger.members(batch.frames, batch.mask)
    assert batch.labels is not None
    expected = binary_cross_entropy(logits, batch.labels, batch.weights).mean()
    assert logs["label_loss"] == expected
    for member in members:
        expected = expected + binary_cross_entropy(member, batch.labels, batch.weights).mean()
    expected = expected + 4 * mixture_divergence(logits, members, temperature=2.0).mean()
    torch.testing.assert_close(loss, expected + penalty(tagger))
    assert logs.keys() == {"label_loss", "member_loss", "distillation_loss"}


def test_weight_of_zero_leaves_the_divergence_out(rng: torch.Generator) -> None:
    tagger, batch = tagger_of(MIXTURE), some_batch(rng)
    full, logs = supervised_mixture(batch, tagger, config=MemberLoss(weight=9.0))
    loss, less = supervised_mixture(batch, tagger, config=MemberLoss())
    torch.testing.assert_close(loss, full - logs["distillation_loss"])
    assert less.keys() == {"label_loss", "member_loss"}


def test_stopped_gradient_reaches_the_members_only(rng: torch.Generator) -> None:
    tagger, batch = tagger_of(MIXTURE), some_batch(rng)
    gradients = []
    for config in (MemberLoss(), MemberLoss(weight=1.0, stop_gradient=True), MemberLoss(weight=1)):
        tagger.zero_grad()
        supervised_mixture(batch, tagger, config=config)[0].backward()
        gate = tagger.model.mixture.linear.weight.grad  # type: ignore[union-attr]
        gradients.append(gate.clone())  # type: ignore[operator, union-attr]
    torch.testing.assert_close(gradients[0], gradients[1])  # only the teacher goes through the gate
    assert not torch.allclose(gradients[0], gradients[2])


def test_model_without_members_is_requested_labels_alone(rng: torch.Generator) -> None:
    plain, mixture = tagger_of(moe.TINY), tagger_of(MIXTURE)
    recipe, batch = Recipe(members=MemberLoss(weight=2.0)), some_batch(rng)
    loss, logs = objective_for(plain, recipe)(batch, plain)
    assert batch.labels is not None and logs.keys() == {"label_loss"}
    expected = binary_cross_entropy(plain(batch.frames, batch.mask), batch.labels).mean()
    assert loss == expected + penalty(plain)
    loss, _ = objective_for(mixture, recipe)(batch, mixture)
    expected, _ = supervised_mixture(batch, mixture, config=recipe.members)
    torch.testing.assert_close(loss, expected)
    with pytest.raises(ConfigError, match="moe is no mixture of models"):
        plain.members(batch.frames, batch.mask)
    with pytest.raises(TypeError, match="MixtureModel is no mixture of models"):
        supervised_mixture(batch, plain.model, config=recipe.members)


def test_batch_without_labels_raises(rng: torch.Generator) -> None:
    batch = dataclasses.replace(some_batch(rng), labels=None)
    with pytest.raises(ValueError, match="needs a batch with labels"):
        supervised(batch, tagger_of(moe.TINY))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"weight": -1.0}, "members.weight"), ({"temperature": 0.0}, "members.temperature is 0.0")],
)
def test_numbers_of_the_divergence_that_cannot_be_raise(
    change: dict[str, float], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        MemberLoss(**change)  # type: ignore[arg-type]


def test_training_of_a_mixture_records_in_its_folder_how_members_learned(
    corpus: Path, tmp_path: Path
) -> None:
    members = MemberLoss(weight=9.0)
    fast = Optimisation(learning_rate=0.01)
    recipe = Recipe(batch_size=8, max_steps=3, log_every=1, optim=fast, members=members)
    train(Dataset.open(corpus), tmp_path / "run", mix_nextvlad.TINY, recipe)
    assert read_recipe(read_config(tmp_path / "run")).members == members
