"""Bags of frames against their formulas written as loops, and the hand-written gradients."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reeltag.layers.assignment import soft_counts
from reeltag.layers.bag_of_frames import (
    BagOfFrames,
    GatedBagOfWords,
    SoftBagOfWords,
    normalised_maximum,
)
from reeltag.layers.kernels import blockwise

LENGTHS = (5, 3, 1)
MASK = torch.arange(5) < torch.tensor(LENGTHS).unsqueeze(-1)


def batch(rng: torch.Generator) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
    """Return frames (3, 5, 4), scale and shift, and what they mean together."""
    frames = torch.randn(3, 5, 4, generator=rng).double()
    scale, shift = torch.rand(2, 4, generator=rng).double()
    return frames, (scale, shift), scale * frames + shift


def normed(scores: Tensor, training: bool) -> Tensor:
    mean, var = torch.zeros(1).double(), torch.ones(1).double()
    if training:
        mean, var = scores[MASK].mean(dim=0), scores[MASK].var(dim=0, correction=0)
    std: Tensor = (var + 1e-3).sqrt()
    return (scores - mean) / std


def unit(x: Tensor) -> Tensor:
    norm: Tensor = x.norm(dim=-1, keepdim=True)
    return x / norm


@pytest.mark.parametrize("activation", ["relu6", "sigmoid"])
@pytest.mark.parametrize("pooling", ["max", "mean"])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_bag_of_frames_matches_formula(
    activation: str, pooling: str, batch_norm: bool, training: bool, rng: torch.Generator
) -> None:
    options = {"activation": activation, "pooling": pooling, "batch_norm": batch_norm}
    pool = BagOfFrames(4, 6, **options).double().train(training)  # type: ignore[arg-type]
    frames, affine, x = batch(rng)
    scores = x @ pool.words.weight.T
    scores = normed(scores, training) if batch_norm else scores + pool.words.bias
    active = scores.clamp(0, 6) if activation == "relu6" else 1 / (1 + torch.exp(-scores))
    expected = torch.zeros(3, 6).double()
    for b, length in enumerate(LENGTHS):
        for k in range(6):
            values = [active[b, t, k] for t in range(length)]
            expected[b, k] = max(values) if pooling == "max" else sum(values) / length
    torch.testing.assert_close(pool(frames, MASK, affine), expected, rtol=1e-10, atol=1e-12)


def soft_words(pool: SoftBagOfWords, x: Tensor, training: bool) -> tuple[Tensor, Tensor]:
    weights = normed(x @ pool.assign.weight.T, training).softmax(dim=-1)
    total, most = (torch.zeros(3, 6).double() for _ in range(2))
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            total[b] += weights[b, t]
            most[b] = torch.maximum(most[b], weights[b, t])
    return total, most


@pytest.mark.parametrize("maximum", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_soft_bag_of_words_matches_formula(
    maximum: bool, training: bool, rng: torch.Generator
) -> None:
    pool = SoftBagOfWords(4, 6, maximum=maximum).double().train(training)
    frames, affine, x = batch(rng)
    total, most = soft_words(pool, x, training)
    expected = torch.cat([unit(total), unit(most)], dim=-1) if maximum else unit(total)
    torch.testing.assert_close(pool(frames, MASK, affine), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_gated_bag_of_words_matches_formula(training: bool, rng: torch.Generator) -> None:
    pool = GatedBagOfWords(4, 6).double().train(training)
    frames, affine, x = batch(rng)
    total, most = soft_words(pool, x, training)
    inner = unit(most) @ pool.squeeze.weight.T @ pool.excite.weight.T
    mean, var = torch.zeros(1).double(), torch.ones(1).double()
    if training:
        mean, var = inner.mean(dim=0), inner.var(dim=0, correction=0)
    gate = ((inner - mean) / (var + 1e-3).sqrt()).sigmoid()
    torch.testing.assert_close(
        pool(frames, MASK, affine), unit(gate * total), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("layer", [BagOfFrames, SoftBagOfWords])
def test_bags_of_no_frames_are_zero(layer: Callable[[int, int], torch.nn.Module]) -> None:
    pool, mask = layer(4, 6).eval(), torch.zeros(1, 5, dtype=torch.bool)
    assert not pool(torch.zeros(1, 5, 4), mask).any()


def counts(fixed: bool, scores: Tensor, gamma: Tensor, beta: Tensor) -> list[Tensor]:
    statistics = (torch.full((6,), 0.5).double(), torch.full((6,), 2.0).double())
    given = statistics if fixed else None
    both = soft_counts(scores, MASK.double(), gamma, beta, 1e-3, given, True)[:2]
    return [*both, normalised_maximum(scores, MASK.double(), gamma, beta, 1e-3, given)[0]]


def counts_as_defined(fixed: bool, scores: Tensor, gamma: Tensor, beta: Tensor) -> list[Tensor]:
    mean, var = torch.full((6,), 0.5).double(), torch.full((6,), 2.0).double()
    if not fixed:
        mean, var = scores[MASK].mean(dim=0), scores[MASK].var(dim=0, correction=0)
    z = (scores - mean) / (var + 1e-3).sqrt() * gamma + beta
    real = MASK.unsqueeze(-1)
    weights = z.softmax(dim=-1) * real
    return [weights.sum(dim=1), weights.amax(dim=1), z.masked_fill(~real, -torch.inf).amax(dim=1)]


@pytest.mark.parametrize("cache", [2**19, 14])  # all at once; two frames at a time
@pytest.mark.parametrize("fixed", [False, True])
def test_word_kernels_match_formula_for_any_block(
    cache: int, fixed: bool, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockwise, "CACHE", cache)
    scores = torch.randn(3, 5, 6, generator=rng).double()
    scores[0, 1] = scores[0, 0]  # a frame drawn twice: both share what the maximum gets
    gamma, beta = torch.randn(2, 6, generator=rng).double()  # also negative scales
    cotangents = torch.randn(3, 3, 6, generator=rng).double()
    found = []
    for function in (counts, counts_as_defined):
        leaves = [value.clone().requires_grad_() for value in (scores, gamma, beta)]
        out = function(fixed, *leaves)
        loss = torch.stack(out).mul(cotangents).sum()
        found.append([*out, *torch.autograd.grad(loss, leaves)])
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-12)
