"""Decision-level attention against direct probabilities, and its gradients against autograd."""

import math

import pytest
import torch
from torch import Tensor

from reeltag.layers.decision_attention import DecisionAttention, decision_pool
from reeltag.layers.kernels import decision_pool as kernel

MASK = torch.arange(5) < torch.tensor([[5], [3], [1]])
HEADS, CLASSES = 2, 3


def direct_probability(attention: Tensor, decision: Tensor) -> Tensor:
    """Return p(c) of the scores (B, T, N), as plain loops over everything."""
    probs = torch.zeros(len(MASK), CLASSES, dtype=attention.dtype)
    for b in range(len(MASK)):
        length = int(MASK[b].sum())
        for c in range(CLASSES):
            for h in range(HEADS):
                column = h * CLASSES + c
                weights = [torch.exp(attention[b, t, column]) for t in range(length)]
                for t in range(length):
                    prob = 1 / (1 + torch.exp(-decision[b, t, column]))
                    probs[b, c] += weights[t] / sum(weights) * prob / HEADS
    return probs


def test_decision_attention_matches_loops_over_probabilities(rng: torch.Generator) -> None:
    layer = DecisionAttention(4, CLASSES, HEADS).double()
    x = torch.randn(*MASK.shape, 4, generator=rng).double()
    probs = direct_probability(layer.attention(x), layer.decision(x))
    torch.testing.assert_close(layer(x, MASK), torch.logit(probs), rtol=1e-10, atol=1e-12)


def test_decision_attention_gradients_match_loops(rng: torch.Generator) -> None:
    scores = [
        torch.randn(*MASK.shape, HEADS * CLASSES, generator=rng).double().requires_grad_()
        for _ in range(2)
    ]
    weight = torch.randn(len(MASK), CLASSES, generator=rng).double()
    ours = torch.autograd.grad(
        (decision_pool(scores[0], scores[1], MASK, HEADS) * weight).sum(), scores
    )
    logits = torch.logit(direct_probability(scores[0], scores[1]))
    theirs = torch.autograd.grad((logits * weight).sum(), scores)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_decision_pool_parts_of_a_batch_change_nothing(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = [
        torch.randn(*MASK.shape, HEADS * CLASSES, generator=rng).requires_grad_() for _ in range(2)
    ]
    results = []
    for together in (2**20, 2 * 5 * HEADS * CLASSES):
        monkeypatch.setattr(kernel, "TOGETHER_CPU", together)
        logits = decision_pool(scores[0], scores[1], MASK, HEADS)
        results.append((logits, *torch.autograd.grad(logits.square().sum(), scores)))
    torch.testing.assert_close(results[0], results[1])


def test_decision_attention_is_exact_where_probabilities_saturate() -> None:
    decision = torch.tensor([[[200.0, -300.0], [150.0, -250.0]]]).requires_grad_()
    attention = torch.zeros(1, 2, 2).requires_grad_()
    logits = decision_pool(attention, decision, torch.ones(1, 2, dtype=torch.bool), 1)
    expected = torch.tensor([[150 + math.log(2), -250 - math.log(2)]])  # one frame decides
    torch.testing.assert_close(logits, expected)
    logits.sum().backward()
    for scores in (attention, decision):
        assert scores.grad is not None and scores.grad.isfinite().all() and scores.grad.any()


def test_decision_attention_of_no_frames_is_even_odds_without_gradient() -> None:
    scores = torch.full((1, 2, 3), 5.0, requires_grad=True)
    logits = decision_pool(scores, scores, torch.zeros(1, 2, dtype=torch.bool), 1)
    logits.sum().backward()
    torch.testing.assert_close(logits, torch.zeros(1, 3))
    assert scores.grad is not None and not scores.grad.any()
