"""Focal loss: hand-worked values, its limit case, soft labels."""

import math

import pytest
import torch

from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.losses.focal import focal_loss


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (1.0, 0.25 * (1 / 4) ** 2 * math.log(4 / 3)),  # p = 3/4
        (0.0, 0.75 * (3 / 4) ** 2 * math.log(4)),
        (0.5, (0.25 * (1 / 4) ** 2 * math.log(4 / 3) + 0.75 * (3 / 4) ** 2 * math.log(4)) / 2),
    ],
)
def test_one_class_worked_by_hand(label: float, expected: float) -> None:
    loss = focal_loss(torch.tensor([[math.log(3)]]), torch.tensor([[label]]))
    torch.testing.assert_close(loss, torch.tensor([expected]))


def test_without_focus_and_balance_it_is_cross_entropy(rng: torch.Generator) -> None:
    logits = 10 * torch.randn(4, 7, generator=rng, dtype=torch.float64)
    labels = torch.rand(4, 7, generator=rng, dtype=torch.float64)
    weights = torch.rand(4, 7, generator=rng, dtype=torch.float64)
    expected = binary_cross_entropy(logits, labels, weights)
    ours = focal_loss(logits, labels, weights, gamma=0, alpha=None)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=0)
    halved = focal_loss(logits, labels, weights, gamma=0, alpha=0.5)
    torch.testing.assert_close(2 * halved, expected, rtol=1e-12, atol=0)


def test_larger_gamma_the_less_an_easy_class_counts() -> None:
    logits, labels = torch.tensor([[2.0], [-2.0]]), torch.ones(2, 1)  # easy, hard
    shares = []
    for gamma in (0.0, 0.5, 2.0, 5.0):
        easy, hard = focal_loss(logits, labels, gamma=gamma)
        shares.append(float(easy / hard))
    assert shares == sorted(shares, reverse=True) and shares[-1] < 1e-4


def test_fractional_gamma_keeps_the_gradient_finite_where_p_underflows() -> None:
    logits = torch.tensor([[-200.0, 200.0]], requires_grad=True)
    focal_loss(logits, torch.tensor([[0.0, 1.0]]), gamma=0.5).sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_numbers_out_of_range_are_named() -> None:
    zeros = torch.zeros(1, 1), torch.zeros(1, 1)
    with pytest.raises(ValueError, match="gamma must be >= 0 and finite, got -1"):
        focal_loss(*zeros, gamma=-1)
    with pytest.raises(ValueError, match=r"alpha must be in \[0, 1\] or None, got 1.5"):
        focal_loss(*zeros, alpha=1.5)
