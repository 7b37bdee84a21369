"""Weak negatives: the formula as loops, the same by weights, the masked limit."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reeltag.labels.targets import Targets
from reeltag.labels.weighting import weak_negatives
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.losses.weak_negative import weak_negative_loss

RATED = torch.tensor([[1.0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
RATINGS = torch.tensor([[1.0, 1, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
VIDEO = torch.tensor([[1.0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0], [1, 1, 1, 1, 1, 1]])


def test_one_segment_worked_by_hand() -> None:
    # rated: class 0, present; the video has 0 and 1, so that 2 and 3 are weak negatives
    loss = weak_negative_loss(
        torch.tensor([[0.0, 9.0, math.log(3), -math.log(3)]]),
        torch.tensor([[1.0, 0, 0, 0]]),
        torch.tensor([[1.0, 0, 0, 0]]),
        torch.tensor([[1.0, 1, 0, 0]]),
        alpha=2.0,
    )
    expected = math.log(2) + 2 / 2 * (math.log(4) + math.log(4 / 3))
    torch.testing.assert_close(loss, torch.tensor([expected]))


@pytest.mark.parametrize("alpha", [0.5, 1.0])
@pytest.mark.parametrize("counted", [None, torch.tensor([True, True, False, True, True, True])])
def test_it_is_cross_entropy_with_faint_weights(
    alpha: float, counted: torch.Tensor | None, rng: torch.Generator
) -> None:
    logits = torch.randn(3, 6, generator=rng)
    weights = RATED.clone()
    for b in range(3):
        can = [c for c in range(6) if VIDEO[b, c] == 0 and (counted is None or counted[c])]
        for c in can:
            weights[b, c] = 1.0 if RATED[b, c] else alpha / len(can)
    labels = RATINGS * RATED
    ours = weak_negative_loss(logits, RATINGS, RATED, VIDEO, alpha=alpha, counted_C=counted)
    torch.testing.assert_close(ours, binary_cross_entropy(logits, labels, weights))


def listed(entries: torch.Tensor, values: torch.Tensor, rest: float) -> Targets:
    """The entries above 0 as lists."""
    item, classes = entries.numpy().nonzero()
    bounds = np.append(0, np.cumsum(np.bincount(item, minlength=len(entries))))
    given = values.numpy()[item, classes]
    return Targets(bounds, classes.astype(np.int32), given, rest=rest)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_training_on_mended_targets_is_this_loss(alpha: float, rng: torch.Generator) -> None:
    ratings, video = listed(RATED, RATINGS, rest=0.0), listed(VIDEO, VIDEO, rest=1.0)
    mended = weak_negatives(ratings, video, num_classes=6, alpha=alpha)
    weights = torch.from_numpy(mended.given_rest()[:, None].repeat(6, axis=1))
    labels = torch.zeros(3, 6)
    at = mended.item(), mended.classes
    weights[at], labels[at] = (
        torch.from_numpy(mended.given_weights()),
        torch.from_numpy(mended.given_values()),
    )
    logits = torch.randn(3, 6, generator=rng)
    ours = weak_negative_loss(logits, RATINGS, RATED, VIDEO, alpha=alpha)
    torch.testing.assert_close(binary_cross_entropy(logits, labels, weights), ours)


def test_without_alpha_or_without_absent_classes_only_ratings_count(rng: torch.Generator) -> None:
    logits = torch.randn(3, 6, generator=rng)
    masked = binary_cross_entropy(logits, RATINGS, RATED)
    assert torch.equal(weak_negative_loss(logits, RATINGS, RATED, VIDEO, alpha=0), masked)
    every = torch.ones(3, 6)
    assert torch.equal(weak_negative_loss(logits, RATINGS, RATED, every), masked)


def test_what_the_video_has_and_nobody_rated_moves_nothing(rng: torch.Generator) -> None:
    logits = torch.randn(3, 6, generator=rng, dtype=torch.float64).requires_grad_()
    weak_negative_loss(logits, RATINGS, RATED, VIDEO).sum().backward()
    assert logits.grad is not None
    assert (logits.grad[(VIDEO == 1) & (RATED == 0)] == 0).all()
    torch.testing.assert_close(logits.grad[0, 2], F.sigmoid(logits[0, 2]) / 4)  # alpha / |N|

    def loss(z: torch.Tensor) -> torch.Tensor:
        return weak_negative_loss(z, RATINGS, RATED, VIDEO)

    assert torch.autograd.gradcheck(loss, (logits,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saturated_logits_keep_value_and_gradient_finite(dtype: torch.dtype) -> None:
    logits = torch.tensor([[-200.0, 200.0, 200.0, -200.0, 200.0, 0.0]] * 3, dtype=dtype)
    logits.requires_grad_()
    value = weak_negative_loss(logits, RATINGS, RATED, VIDEO)
    value.sum().backward()
    assert value.dtype == torch.float32 and value.isfinite().all()
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_wrong_input_is_named() -> None:
    zeros = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="alpha must be >= 0 and finite, got -1"):
        weak_negative_loss(zeros, zeros, zeros, zeros, alpha=-1)
    with pytest.raises(ValueError, match=r"logits \(2, 3\), labels \(2, 4\) differ"):
        weak_negative_loss(zeros, zeros, zeros, torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"logits \(2, 3\), counted \(2,\) .* must be \(C,\)"):
        weak_negative_loss(zeros, zeros, zeros, zeros, counted_C=torch.ones(2).bool())
