"""The relation penalty in training: which layers it reads, when it looks again, and resuming."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reeltag.augment.config import AugmentConfig
from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.layers.experts import MixtureOfExperts
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import (
    attentive_fcn,
    dbof_gcn,
    families,
    logistic,
    mix_nextvlad,
    moe,
    output_layers,
)
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Optimisation, Recipe, RelationConfig
from reeltag.training.fit import resume, train
from reeltag.training.losses import stateful_parts
from reeltag.training.objectives import objective_for, supervised
from reeltag.training.relation import Related, with_relation

RECIPE = Recipe(batch_size=8, max_steps=12, optim=Optimisation(learning_rate=0.02))
WITHOUT = {"dbof_gcn", "multi_attention"}  # a graph makes the classifier; frames are classified


def tagger_of(config: Any) -> Tagger:
    torch.manual_seed(0)
    streams, names = (("rgb", 6), ("audio", 2)), list("abcde")
    return Tagger(config, streams, names, preprocessing=PreprocessingConfig())


def some_batch(rng: torch.Generator) -> FrameBatch:
    return FrameBatch(
        frames=torch.randn(4, 3, 8, generator=rng),
        mask=torch.arange(3) < torch.tensor([[3], [2], [1], [3]]),
        labels=(torch.rand(4, 5, generator=rng) < 0.3).float(),
        weights=None,
    )


def nuclear_square(weight_CH: Tensor) -> float:
    return float(torch.linalg.svdvals(weight_CH.detach().double()).sum().square())


def related(tagger: Tagger, **values: Any) -> Related:
    found = with_relation(supervised, tagger, RelationConfig(weight=0.5, **values))
    assert isinstance(found, Related)
    return found


def last_state(run: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(run / "resume.ckpt", weights_only=False)["state_dict"]
    return state


@pytest.mark.parametrize("family", families(), ids=lambda f: f.name)
def test_layer_found_is_the_one_whose_rows_make_the_logits(family: Any) -> None:
    layers = output_layers(family.tiny.build())
    assert bool(layers) == (family.name not in WITHOUT)
    assert all(len(layer.class_weights()) == family.tiny.num_classes for layer in layers)


def test_class_of_a_mixture_of_experts_has_the_sum_of_its_experts(rng: torch.Generator) -> None:
    head = MixtureOfExperts(8, 5, 3)
    with torch.no_grad():
        for number in range(3):  # rows m * C + c
            head.experts.weight[5 * number : 5 * number + 5] = 10.0**number
    head.experts.weight.data[7] += 0.5  # expert 1 of class 2
    expected = torch.full((5, 8), 111.0)
    expected[2] += 0.5
    torch.testing.assert_close(head.class_weights(), expected)
    head.class_weights().sum().backward()
    assert head.experts.weight.grad is not None and (head.experts.weight.grad == 1).all()
    assert head.gates.weight.grad is None


@pytest.mark.parametrize("form", ["omega", "nuclear"])
def test_loss_has_the_penalty_of_every_member(form: str, rng: torch.Generator) -> None:
    config = dataclasses.replace(mix_nextvlad.TINY, dropout=0.0)
    tagger, batch = tagger_of(config).eval(), some_batch(rng)
    recipe = Recipe(relation=RelationConfig(weight=0.5, form=form))  # type: ignore[arg-type]
    plain, _ = objective_for(tagger, Recipe())(batch, tagger)
    loss, logs = objective_for(tagger, recipe)(batch, tagger)
    members = output_layers(tagger.model)
    assert len(members) == config.num_members
    expected = 0.5 * sum(nuclear_square(member.class_weights()) for member in members)
    assert logs["relation_penalty"].item() == pytest.approx(expected, rel=1e-4)
    assert (loss - plain).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("form", ["omega", "nuclear"])
def test_weights_are_looked_at_again_every_so_many_steps(form: str, rng: torch.Generator) -> None:
    tagger, batch = tagger_of(moe.TINY), some_batch(rng)
    config = RelationConfig(weight=1.0, form=form, every=2)  # type: ignore[arg-type]
    objective = with_relation(supervised, tagger, config, accumulate=2)
    weight = tagger.model.head.experts.weight  # type: ignore[union-attr]
    fresh = []
    for _ in range(9):
        value = objective(batch, tagger)[1]["relation_penalty"].item()
        (layer,) = output_layers(tagger.model)
        fresh.append(value == pytest.approx(nuclear_square(layer.class_weights()), rel=1e-4))
        with torch.no_grad():
            weight += 0.2 * torch.randn(weight.shape, generator=rng)  # type: ignore[arg-type, operator]
    assert fresh == [n % 4 == 0 for n in range(9)]  # two steps of two batches each


def test_without_weight_the_objective_is_the_very_same() -> None:
    tagger = tagger_of(moe.TINY)
    assert with_relation(supervised, tagger, RelationConfig()) is supervised
    assert with_relation(supervised, tagger_of(dbof_gcn.TINY), RelationConfig()) is (supervised)


@pytest.mark.parametrize("form", ["omega", "nuclear"])
def test_penalty_alone_lets_the_classes_share_more(form: str, rng: torch.Generator) -> None:
    tagger, batch = tagger_of(logistic.TINY), some_batch(rng)
    weight = tagger.model.head.linear.weight  # type: ignore[union-attr]
    assert isinstance(weight, nn.Parameter)
    before = torch.linalg.svdvals(weight.detach())

    def nothing(batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        return torch.zeros(()), {}

    config = RelationConfig(weight=0.5, form=form, every=3)  # type: ignore[arg-type]
    objective, optimiser = with_relation(nothing, tagger, config), torch.optim.SGD([weight], 2e-3)
    for _ in range(60):
        optimiser.zero_grad()
        objective(batch, tagger)[0].backward()
        optimiser.step()
    after = torch.linalg.svdvals(weight.detach())
    assert after.sum() < before.sum()
    assert after[-1] / after[0] < before[-1] / before[0]  # the weak directions go first


@pytest.mark.parametrize("form", ["omega", "nuclear"])
def test_training_in_two_pieces_is_that_in_one(corpus: Path, tmp_path: Path, form: str) -> None:
    relation = RelationConfig(weight=0.01, form=form, every=5)  # type: ignore[arg-type]
    augment = AugmentConfig(noise=0.1)  # wraps the objective that holds the state
    long = dataclasses.replace(RECIPE, relation=relation, augment=augment)
    short = dataclasses.replace(long, max_steps=8)  # Omega of step 5 is in use
    train(Dataset.open(corpus), tmp_path / "whole", moe.TINY, long)
    train(Dataset.open(corpus), tmp_path / "pieces", moe.TINY, short)
    resume(tmp_path / "pieces", max_steps=12)
    whole, pieces = last_state(tmp_path / "whole"), last_state(tmp_path / "pieces")
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)


def test_trained_model_is_fine_tuned(corpus: Path, tmp_path: Path) -> None:
    train(Dataset.open(corpus), tmp_path / "first", logistic.TINY, RECIPE)
    more = dataclasses.replace(RECIPE, init=str(tmp_path / "first"), max_steps=20)
    costs = []
    for weight in (0.0, 0.05):
        recipe = dataclasses.replace(more, relation=RelationConfig(weight=weight))
        out = tmp_path / f"weight{weight}"
        train(Dataset.open(corpus), out, logistic.TINY, recipe)
        (layer,) = output_layers(Tagger.load(out).model)
        costs.append(nuclear_square(layer.class_weights()))
    assert costs[1] < 0.9 * costs[0]


def test_state_is_found_behind_what_wraps_it() -> None:
    objective = related(tagger_of(moe.TINY))

    class Wrapper:
        def __init__(self, inside: object) -> None:
            self.objective = inside

    assert list(stateful_parts(objective)) == [objective]
    assert list(stateful_parts(Wrapper(Wrapper(objective)))) == [objective]
    assert list(stateful_parts(Wrapper(supervised))) == []


def test_model_without_such_a_layer_raises_with_those_that_have_one() -> None:
    config = RelationConfig(weight=0.2)
    with pytest.raises(ConfigError, match=r"weight is 0.2, but dbof_gcn has no linear") as raised:
        with_relation(supervised, tagger_of(dbof_gcn.TINY), config)
    named = set(raised.value.hint.removesuffix(".").partition("one of ")[2].split(", "))
    assert named == {family.name for family in families()} - WITHOUT
    heads = dataclasses.replace(attentive_fcn.TINY, heads=2)
    with pytest.raises(ConfigError, match="attentive_fcn has no linear output layer"):
        with_relation(supervised, tagger_of(heads), config)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weight": -1.0}, "relation.weight is -1.0; allowed: a finite number >= 0"),
        ({"weight": float("inf")}, "relation.weight is inf; allowed: a finite number >= 0"),
        ({"form": "trace"}, "relation.form is 'trace'; allowed: 'omega' or 'nuclear'"),
        ({"every": 0}, "relation.every is 0; allowed: an integer >= 1"),
    ],
)
def test_wrong_options_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RelationConfig(**values)
