"""Wide layers whose gradients are kept as factors learn what they would have learned otherwise."""

import copy
import dataclasses
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from reeltag.core.errors import TrainingError
from reeltag.data.dataset import Dataset
from reeltag.layers.kernels import wide_product
from reeltag.layers.wide_linear import WideLinear, factor_gradients, factored_gradient_of
from reeltag.models import netvlad
from reeltag.training import factored_adam
from reeltag.training.config import Optimisation
from reeltag.training.fit import resume, train
from reeltag.training.optimiser import clip_per_tensor, make_optimiser
from tests.training.exploding import InfiniteAtStepOne
from tests.training.short_runs import RECIPE, assert_same_weights, weights_of


@pytest.fixture
def small_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat small layers as wide ones, in tiles of a few columns."""
    monkeypatch.setattr(wide_product, "WIDE", 1)
    monkeypatch.setattr(wide_product, "TILE", 60)
    monkeypatch.setattr(factored_adam, "TILE", 44)
    monkeypatch.setattr(wide_product, "THIN", 100)


class Model(nn.Module):
    """Has a wide layer between two others."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide, self.last = nn.Linear(7, 23), WideLinear(23, 12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.wide(self.first(x)).relu())
        return out


def two_models() -> tuple[Model, Model]:
    """Return a model twice; the second one keeps the gradient of its wide layer as factors."""
    torch.manual_seed(0)
    plain = Model()
    factored = copy.deepcopy(plain)
    (weight,) = factor_gradients(factored)
    assert weight is factored.wide.weight
    return plain, factored


def learn(
    model: Model, optimiser: torch.optim.Optimizer, steps: int, clip: float = 1.0
) -> list[Tensor]:
    """Return the norms of the gradients in each step; inputs are those of the step's number."""
    norms = []
    for step in range(steps):
        rng = torch.Generator().manual_seed(step)
        x, y = (5 * torch.randn(9, size, generator=rng) for size in (7, 3))
        optimiser.zero_grad()
        (model(x) - y).square().sum().backward()
        norms.append(clip_per_tensor(model.parameters(), clip))
        optimiser.step()
    return norms


@pytest.mark.usefixtures("small_is_wide")
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("clip", [1.0, 30.0, 1e9])
def test_factored_gradients_give_the_weights_of_plain_adam(
    weight_decay: float, clip: float
) -> None:
    optim = Optimisation(learning_rate=0.01, weight_decay=weight_decay)
    models = two_models()
    norms = [learn(m, make_optimiser(m.parameters(), optim), 20, clip) for m in models]
    assert models[0].wide.weight.grad is not None and models[1].wide.weight.grad is None
    # the wide layer's norm comes last; Gram matrices sum the same squares in another order
    in_order = [[0, 1, 3, 4, 5, 2], range(6)]
    for plain, factored in zip(*norms, strict=True):
        torch.testing.assert_close(plain[in_order[0]], factored, rtol=1e-5, atol=1e-5)
    for plain, factored in zip(*(m.parameters() for m in models), strict=True):
        torch.testing.assert_close(factored, plain, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("small_is_wide")
def test_factored_gradients_of_several_passes_add_up() -> None:
    grads = []
    for model in two_models():
        for seed in (1, 2):
            rng = torch.Generator().manual_seed(seed)
            model(torch.randn(9, 7, generator=rng)).square().sum().backward()
        found = factored_gradient_of(model.wide.weight)
        grads.append(found.columns(slice(0, 23)).T if found else model.wide.weight.grad)
    torch.testing.assert_close(grads[1], grads[0])


@pytest.mark.usefixtures("small_is_wide")
def test_factored_gradients_and_gradients_of_a_penalty_are_clipped_as_one() -> None:
    moved = []
    for model in two_models():
        optimiser = make_optimiser(model.parameters(), Optimisation(learning_rate=0.01))
        x = torch.randn(9, 7, generator=torch.Generator().manual_seed(1))
        for _ in range(3):
            optimiser.zero_grad()
            loss = model(x).square().sum() + 3 * model.wide.weight.square().sum()
            loss.backward()
            clip_per_tensor(model.parameters(), 0.5)
            optimiser.step()
        moved.append(model.wide.weight.detach())
    torch.testing.assert_close(moved[1], moved[0], rtol=0, atol=1e-6)


@pytest.mark.usefixtures("small_is_wide")
def test_factored_gradients_are_not_taken_of_large_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wide_product, "THIN", 6)  # 9 videos, 12 outputs: 81 > 72
    models = two_models()
    for model in models:
        learn(model, make_optimiser(model.parameters(), Optimisation(learning_rate=0.01)), 5)
    assert models[1].wide.weight.grad is not None
    for plain, factored in zip(*(m.parameters() for m in models), strict=True):
        torch.testing.assert_close(factored, plain, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("small_is_wide")
def test_factored_adam_goes_on_from_the_state_of_plain_adam() -> None:
    optim = Optimisation(learning_rate=0.01)
    plain, factored = two_models()
    first = make_optimiser(plain.parameters(), optim)
    learn(plain, first, 4)
    factored.load_state_dict(plain.state_dict())
    second = make_optimiser(factored.parameters(), optim)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for model, optimiser in ((plain, first), (factored, second)):
        learn(model, optimiser, 4)
    for one, other in zip(plain.parameters(), factored.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("small_is_wide")
def test_factored_adam_does_not_move_where_a_loss_is_not_finite() -> None:
    _, model = two_models()
    optimiser = make_optimiser(model.parameters(), Optimisation(learning_rate=0.01))
    learn(model, optimiser, 2)
    cast(Any, optimiser).found_inf = torch.ones(())
    before = copy.deepcopy(model.state_dict())
    learn(model, optimiser, 1)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert optimiser.state[model.wide.weight]["step"] == 2


@pytest.mark.usefixtures("small_is_wide")
def test_wide_layer_learns_where_all_else_is_frozen() -> None:
    moved = []
    for model in two_models():
        for layer in (model.first, model.last):
            layer.requires_grad_(False)
        optimiser = make_optimiser(model.wide.parameters(), Optimisation(learning_rate=0.01))
        model.wide.bias.requires_grad_(False)
        (norm,) = learn(model, optimiser, 1)
        assert norm.shape == (1,)
        moved.append(model.wide.weight.detach())
    torch.testing.assert_close(moved[1], moved[0], rtol=0, atol=1e-6)


@pytest.mark.usefixtures("small_is_wide")
def test_frozen_wide_layers_keep_no_factors() -> None:
    layer = WideLinear(23, 12).requires_grad_(False)
    assert factor_gradients(layer) == []
    assert layer.weight.is_contiguous() and factored_gradient_of(layer.weight) is None


MODEL = dataclasses.replace(netvlad.TINY, hidden=8)
OPTIM = Optimisation(learning_rate=0.01)


@pytest.mark.parametrize(
    "optim",
    [
        dataclasses.replace(OPTIM, clip="global"),
        dataclasses.replace(OPTIM, clip="none"),
        dataclasses.replace(OPTIM, ema=0.5),
    ],
    ids=["global", "none", "per-tensor and averaged"],
)
def test_training_with_factored_gradients_gives_the_same_weights(
    optim: Optimisation, corpus: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = Dataset.open(corpus, quiet=True)
    recipe = dataclasses.replace(RECIPE, optim=optim)
    train(data, tmp_path / "plain", MODEL, recipe)
    request.getfixturevalue("small_is_wide")
    train(data, tmp_path / "factored", MODEL, recipe)
    found = weights_of(tmp_path / "factored")
    for name, value in weights_of(tmp_path / "plain").items():
        # 12 steps of 0.01; a gradient near 0 may change its sign
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("small_is_wide")
def test_training_with_factored_gradients_resumes_to_the_bit(corpus: Path, tmp_path: Path) -> None:
    data = Dataset.open(corpus, quiet=True)
    recipe = dataclasses.replace(RECIPE, optim=OPTIM, validate_every=4)
    train(data, tmp_path / "whole", MODEL, recipe)
    train(data, tmp_path / "parts", MODEL, dataclasses.replace(recipe, max_steps=5))
    resume(tmp_path / "parts", max_steps=12)
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.usefixtures("small_is_wide")
def test_training_with_factored_gradients_keeps_the_weights_before_a_bad_loss(
    corpus: Path, tmp_path: Path
) -> None:
    objective = InfiniteAtStepOne()
    recipe = dataclasses.replace(RECIPE, optim=OPTIM, log_every=4)
    with pytest.raises(TrainingError, match="the loss is inf at step 1"):
        train(
            Dataset.open(corpus, quiet=True), tmp_path / "run", MODEL, recipe, objective=objective
        )
    objective.assert_weights_stay()
