"""Ranking losses: hand-worked values, the definition as loops, bounded memory."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reeltag.losses import pairwise
from reeltag.losses.pairwise import (
    hinge_ranking_loss,
    pairwise_loss,
    sigmoid_ranking_loss,
    soft_ranking_loss,
)

COSTS: dict[Callable[..., Tensor], Callable[[float], float]] = {
    hinge_ranking_loss: lambda d: max(0.0, d + 1),
    soft_ranking_loss: lambda d: math.log(1 + math.exp(d + 1)),
    sigmoid_ranking_loss: lambda d: math.log(1 + 1 / (1 + math.exp(-d))),
}
every_ranking = pytest.mark.parametrize("loss", COSTS)


def some_input(rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    logits = torch.randn(4, 9, generator=rng, dtype=torch.float64)
    labels = (torch.rand(4, 9, generator=rng, dtype=torch.float64) < 0.3).double()
    weights = torch.rand(4, 9, generator=rng, dtype=torch.float64)
    weights[:, ::4] = 0
    return logits, labels, weights


def by_loops(
    cost: Callable[[float], float], logits: Tensor, labels: Tensor, weights: Tensor, hardest: int
) -> Tensor:
    """The loss of a batch as it is defined, and each video's part in it."""
    entries = [
        (float(logits[b, c]), float(weights[b, c]), b, float(labels[b, c]))
        for b in range(len(logits))
        for c in range(logits.shape[1])
        if weights[b, c] > 0
    ]
    negatives = sorted(entry for entry in entries if entry[3] < 0.5)[-hardest * len(logits) :]
    total, parts = 0.0, torch.zeros(len(logits), dtype=torch.float64)
    for positive, w, b, _ in [entry for entry in entries if entry[3] >= 0.5]:
        for negative, v, _, _ in negatives:
            value = cost(negative - positive)
            parts[b] += w * v * value
            total += w * v * (value > 0)
    return parts * len(logits) / total


def test_three_pairs_worked_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.5, -3.0], [1.0, 1.5, -4.0]])
    labels = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    # positives 2 and 1; the two hardest negatives 1.5 and 0.5; 0.5 - 2 + 1 costs nothing
    expected = torch.tensor([2 * 0.5 / 3, 2 * (1.5 + 0.5) / 3])
    torch.testing.assert_close(hinge_ranking_loss(logits, labels, hardest=1), expected)
    pairs = [[1.5 - 2, 0.5 - 2], [1.5 - 1, 0.5 - 1]]
    expected = torch.tensor([sum(math.log1p(math.exp(d + 1)) for d in of) / 2 for of in pairs])
    torch.testing.assert_close(soft_ranking_loss(logits, labels, hardest=1), expected)


@every_ranking
@pytest.mark.parametrize("hardest", [1, 3, 100])
def test_matches_the_definition_written_as_loops(
    loss: Callable[..., Tensor], hardest: int, rng: torch.Generator
) -> None:
    logits, labels, weights = some_input(rng)
    for given in (weights, torch.ones_like(weights)):
        expected = by_loops(COSTS[loss], logits, labels, given, hardest)
        ours = loss(logits, labels, given, hardest=hardest)
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


@every_ranking
def test_mean_of_a_batch_is_the_mean_over_its_costly_pairs(
    loss: Callable[..., Tensor], rng: torch.Generator
) -> None:
    logits, labels, _ = some_input(rng)
    positives, negatives = logits[labels == 1], logits[labels == 0].sort().values[-8:]
    pairs = [COSTS[loss](float(n - p)) for p in positives for n in negatives]
    costly = [pair for pair in pairs if pair > 0]
    mean = loss(logits, labels, hardest=2).mean()
    assert float(mean) == pytest.approx(sum(costly) / len(costly), rel=1e-12)


def test_soft_label_is_a_positive_from_one_half() -> None:
    logits = torch.tensor([[0.3, -0.2, 0.9]])
    soft, hard = torch.tensor([[0.5, 0.49, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    for loss in (*COSTS, pairwise_loss):
        assert loss(logits, soft) == loss(logits, hard)


@every_ranking
def test_comparing_in_parts_changes_nothing(
    loss: Callable[..., Tensor], rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, labels, weights = some_input(rng)
    logits.requires_grad_()
    whole = loss(logits, labels, weights)
    (whole_gradient,) = torch.autograd.grad(whole.sum(), logits)
    monkeypatch.setattr(pairwise, "PAIRS", 20)  # one or two positives at once
    parts = loss(logits, labels, weights)
    (parts_gradient,) = torch.autograd.grad(parts.sum(), logits)
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(parts_gradient, whole_gradient, rtol=1e-12, atol=1e-12)


def test_pairwise_loss_holds_at_most_the_stated_pairs(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = torch.randn(16, 500, generator=rng, requires_grad=True)
    labels = (torch.rand(16, 500, generator=rng) < 0.02).float()  # 160 positives, 480 negatives
    compared: list[int] = []
    kept: list[int] = []

    def softplus(pairs: Tensor) -> Tensor:
        compared.append(pairs.numel())
        return pairs.exp().log1p()

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    monkeypatch.setattr(pairwise, "PAIRS", 2000)
    monkeypatch.setattr(torch.nn.functional, "softplus", softplus)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = soft_ranking_loss(logits, labels).mean()
    assert max(kept) <= logits.numel()  # the pairs themselves are 76,800
    loss.backward()
    assert max(compared) <= 2000 and sum(compared) == 2 * int(labels.sum()) * 480


@every_ranking
def test_pairwise_loss_depends_on_proportions_of_weights(
    loss: Callable[..., Tensor], rng: torch.Generator
) -> None:
    logits, labels, weights = some_input(rng)
    torch.testing.assert_close(
        loss(logits, labels, 1e-4 * weights), loss(logits, labels, weights), rtol=1e-12, atol=0
    )


def test_log_sum_exp_worked_by_hand_and_as_loops(rng: torch.Generator) -> None:
    logits, labels = torch.zeros(1, 5), torch.tensor([[1.0, 1.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(pairwise_loss(logits, labels), torch.tensor([math.log(7)]))
    torch.testing.assert_close(
        pairwise_loss(logits, labels, mean=True), torch.tensor([math.log(2)])
    )
    logits, labels, weights = some_input(rng)
    for mean in (False, True):
        for b, ours in enumerate(pairwise_loss(logits, labels, weights, mean=mean)):
            pairs = weight = 0.0
            for p in labels[b].nonzero().flatten():
                for n in (1 - labels[b]).nonzero().flatten():
                    both = float(weights[b, p] * weights[b, n])
                    pairs += both * math.exp(logits[b, n] - logits[b, p])
                    weight += both
            expected = math.log1p(pairs / weight if mean else pairs)
            assert float(ours) == pytest.approx(expected, rel=1e-12)


def test_pairwise_loss_needs_no_matrix_of_pairs(rng: torch.Generator) -> None:
    """100,000 x 100,000 pairs: 40 GB, if they were written down."""
    logits = torch.randn(1, 200_000, generator=rng, dtype=torch.float64)
    labels = torch.arange(200_000)[None] < 100_000
    positive, negative = logits[labels], logits[~labels]
    expected = positive.neg().logsumexp(0) + negative.logsumexp(0)
    torch.testing.assert_close(pairwise_loss(logits, labels), expected[None])


def test_numbers_out_of_range_are_named() -> None:
    zeros = torch.zeros(1, 2), torch.zeros(1, 2)
    with pytest.raises(ValueError, match="hardest must be >= 1, got 0"):
        sigmoid_ranking_loss(*zeros, hardest=0)
    for loss in (hinge_ranking_loss, soft_ranking_loss):
        with pytest.raises(ValueError, match="margin must be >= 0 and finite, got -2"):
            loss(*zeros, margin=-2)
