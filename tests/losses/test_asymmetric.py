"""Asymmetric loss: hand-worked values, its limit case, its margin."""

import math

import pytest
import torch

from reeltag.losses.asymmetric import asymmetric_loss
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.losses.focal import focal_loss


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (1.0, math.log(2)),  # gamma_pos = 0: plain -log(1/2)
        (0.0, -(0.45**4) * math.log(0.55)),  # q = 0.5 - 0.05
        (0.25, 0.25 * math.log(2) - 0.75 * 0.45**4 * math.log(0.55)),
    ],
)
def test_value_at_logit_zero_worked_by_hand(label: float, expected: float) -> None:
    loss = asymmetric_loss(torch.zeros(1, 1), torch.tensor([[label]]))
    torch.testing.assert_close(loss, torch.tensor([expected]))


def test_without_focus_and_margin_it_is_cross_entropy(rng: torch.Generator) -> None:
    logits = 10 * torch.randn(4, 7, generator=rng, dtype=torch.float64)
    labels = torch.rand(4, 7, generator=rng, dtype=torch.float64)
    weights = torch.rand(4, 7, generator=rng, dtype=torch.float64)
    ours = asymmetric_loss(logits, labels, weights, gamma_pos=0, gamma_neg=0, margin=0)
    expected = binary_cross_entropy(logits, labels, weights)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=0)


def test_with_one_focus_and_no_margin_it_is_focal(rng: torch.Generator) -> None:
    logits = 5 * torch.randn(4, 7, generator=rng, dtype=torch.float64)
    labels = torch.rand(4, 7, generator=rng, dtype=torch.float64)
    ours = asymmetric_loss(logits, labels, gamma_pos=2, gamma_neg=2, margin=0)
    focal = focal_loss(logits, labels, gamma=2, alpha=None)
    torch.testing.assert_close(ours, focal, rtol=1e-12, atol=0)


@pytest.mark.parametrize("gamma_neg", [0.0, 1.0, 4.0])
def test_below_the_margin_a_negative_costs_and_moves_nothing(gamma_neg: float) -> None:
    logits = torch.tensor([[-3.0, -9.0]], requires_grad=True)  # p = 0.047, 0.0001
    loss = asymmetric_loss(logits, torch.zeros(1, 2), gamma_neg=gamma_neg, margin=0.05)
    loss.sum().backward()
    assert loss.item() == 0
    assert logits.grad is not None and (logits.grad == 0).all()


@pytest.mark.parametrize("margin", [1e-12, 1e-4, 0.5])
def test_certain_wrong_yes_costs_what_the_margin_leaves(margin: float) -> None:
    loss = asymmetric_loss(torch.tensor([[99.0]]), torch.zeros(1, 1), gamma_neg=0, margin=margin)
    assert loss.item() == pytest.approx(-math.log(margin), rel=1e-6)


def test_numbers_out_of_range_are_named() -> None:
    zeros = torch.zeros(1, 1), torch.zeros(1, 1)
    with pytest.raises(ValueError, match=r"margin must be in \[0, 1\), got 1.5"):
        asymmetric_loss(*zeros, margin=1.5)
    with pytest.raises(ValueError, match="gamma_neg must be 0, or >= 1 and finite, got 0.5"):
        asymmetric_loss(*zeros, gamma_neg=0.5)
    with pytest.raises(ValueError, match="gamma_pos must be 0, or >= 1 and finite, got -1"):
        asymmetric_loss(*zeros, gamma_pos=-1)
