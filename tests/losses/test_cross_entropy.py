"""Cross-entropy: the authors' numbers, hand-worked values, saturated logits, weights."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from reeltag.losses.cross_entropy import binary_cross_entropy, epsilon_cross_entropy
from reeltag.losses.starter import hinge_loss, softmax_loss
from tests.conftest import GOLDEN, golden_files

Loss = Callable[..., Tensor]
LOSSES = [
    path.stem
    for name in ("*_losses", "willow_loss_*")
    for path in golden_files(f"layers/{name}.npz")
]


@pytest.mark.golden
@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_the_authors(name: str) -> None:
    with np.load(GOLDEN / "layers" / f"{name}.npz") as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files if key != "meta"}
    probs, labels = arrays["in.p"].double(), arrays["in.labels"].double()
    logits, epsilon = probs.logit(), 1e-8 if name.startswith("lin_") else 1e-5

    def xent(labels: Tensor = labels, weights: Tensor | None = None) -> Tensor:
        return epsilon_cross_entropy(logits, labels, weights, epsilon=epsilon).mean()

    ours = {"xent": xent()}
    if name != "willow_loss_alpha0.5":
        ours |= {"hinge": hinge_loss(probs, labels).mean()}
        ours |= {"softmax": softmax_loss(probs, labels).mean()}
    if name == "google_losses":
        ours |= {"hinge_b2": hinge_loss(probs, labels, margin=2).mean()}
        ours |= {f"xent_{w}": xent(weights=arrays[f"in.{w}"].double()) for w in ("w01", "wreal")}
        ours |= {"xent_soft": xent(labels=arrays["in.soft"].double())}
    theirs = {key[9:]: value for key, value in arrays.items() if key.startswith("eval_f64.")}
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert ours[key].item() == pytest.approx(value.item(), rel=1e-8), key


def test_two_classes_worked_by_hand() -> None:
    logits = torch.tensor([[math.log(3), -math.log(3)]])  # p = 3/4, 1/4
    loss = binary_cross_entropy(logits, torch.tensor([[1.0, 1.0]]))
    torch.testing.assert_close(loss, torch.tensor([math.log(4 / 3) + math.log(4)]))


def test_a_weight_counts_its_class_that_much() -> None:
    logits, labels = torch.zeros(2, 3), torch.ones(2, 3)
    weights = torch.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
    expected = torch.tensor([3 * math.log(2), 0.0])
    torch.testing.assert_close(binary_cross_entropy(logits, labels, weights), expected)
    approximate = epsilon_cross_entropy(logits, labels, weights)
    torch.testing.assert_close(approximate, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("loss", [binary_cross_entropy, epsilon_cross_entropy])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saturated_logits_keep_value_and_gradient_finite(loss: Loss, dtype: torch.dtype) -> None:
    logits = torch.tensor([[-200.0, 200.0]], dtype=dtype, requires_grad=True)
    value = loss(logits, torch.tensor([[1.0, 0.0]]))
    value.sum().backward()
    assert value.dtype == torch.float32
    assert value.isfinite().all() and logits.grad is not None and logits.grad.isfinite().all()


def test_the_authors_epsilon_bounds_the_cost_of_a_class() -> None:
    loss = epsilon_cross_entropy(torch.tensor([[-100.0]]), torch.ones(1, 1), epsilon=1e-5)
    assert loss.item() == pytest.approx(-math.log(1e-5))


@pytest.mark.parametrize("loss", [binary_cross_entropy, epsilon_cross_entropy])
def test_shapes_that_differ_are_named(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"logits \(2, 3\), labels \(2, 4\) differ"):
        loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"logits \(2, 3\), weights \(3,\) differ"):
        loss(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(3))


def test_an_epsilon_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="epsilon must be > 0, got 0"):
        epsilon_cross_entropy(torch.zeros(1, 1), torch.zeros(1, 1), epsilon=0)
