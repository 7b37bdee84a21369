"""Cross-entropy and the starter code's other losses: the authors' numbers, hand-worked values."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from reeltag.losses.cross_entropy import binary_cross_entropy, epsilon_cross_entropy
from reeltag.losses.starter import hinge_loss, softmax_loss
from tests.conftest import golden_files

LOSSES = golden_files("layers/*_losses.npz") + golden_files("layers/willow_loss_*.npz")


@pytest.mark.golden
@pytest.mark.parametrize("path", LOSSES, ids=lambda path: path.stem)
def test_losses_are_the_authors(path: Path) -> None:
    name = path.stem
    with np.load(path) as file:
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


def test_cross_entropy_of_two_classes_by_hand() -> None:
    logits = torch.tensor([[math.log(3), -math.log(3)]])  # p = 3/4, 1/4
    loss = binary_cross_entropy(logits, torch.tensor([[1.0, 1.0]]))
    torch.testing.assert_close(loss, torch.tensor([math.log(4 / 3) + math.log(4)]))


def test_weight_counts_its_class_that_much() -> None:
    logits, labels = torch.zeros(2, 3), torch.ones(2, 3)
    weights = torch.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
    expected = torch.tensor([3 * math.log(2), 0.0])
    torch.testing.assert_close(binary_cross_entropy(logits, labels, weights), expected)
    approximate = epsilon_cross_entropy(logits, labels, weights)
    torch.testing.assert_close(approximate, expected, atol=1e-4, rtol=0)


def test_authors_epsilon_bounds_the_cost_of_a_class() -> None:
    loss = epsilon_cross_entropy(torch.tensor([[-100.0]]), torch.ones(1, 1), epsilon=1e-5)
    assert loss.item() == pytest.approx(-math.log(1e-5))


def test_epsilon_of_zero_raises() -> None:
    with pytest.raises(ValueError, match="epsilon must be > 0 and finite, got 0"):
        epsilon_cross_entropy(torch.zeros(1, 1), torch.zeros(1, 1), epsilon=0)


def test_hinge_of_logits_and_of_soft_labels_worked_by_hand() -> None:
    logits, labels = torch.tensor([[0.5, -2.0, 2.0]]), torch.tensor([[1.0, 0.0, 0.25]])
    # 1 - 0.5; beyond the margin; s = -1/2, so 1 + 1
    torch.testing.assert_close(hinge_loss(logits, labels), torch.tensor([0.5 + 0 + 2]))
    weights = torch.tensor([[2.0, 1.0, 0.0]])
    torch.testing.assert_close(hinge_loss(logits, labels, weights), torch.tensor([1.0]))
    with pytest.raises(ValueError, match="margin must be >= 0 and finite, got -1"):
        hinge_loss(logits, labels, margin=-1)


def test_softmax_runs_over_what_is_rated_and_shares_out_by_weight() -> None:
    scores = torch.tensor([[0.0, math.log(3), 50.0]])
    labels, weights = torch.tensor([[1.0, 1.0, 1.0]]), torch.tensor([[3.0, 1.0, 0.0]])
    expected = 3 / 4 * math.log(4) + 1 / 4 * math.log(4 / 3)  # softmax of the first two: 1/4, 3/4
    torch.testing.assert_close(softmax_loss(scores, labels, weights), torch.tensor([expected]))


def test_softmax_stays_finite_at_the_largest_of_scores() -> None:
    scores = torch.tensor([[3e38, 1.0, 2.0]], requires_grad=True)
    loss = softmax_loss(scores, torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[1.0, 1.0, 0.0]]))
    loss.sum().backward()
    assert loss.item() == 0 and scores.grad is not None and scores.grad.isfinite().all()
