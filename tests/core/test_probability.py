"""Powers and means of probabilities: by hand, and where probabilities would be 0 or 1."""

import math

import numpy as np
import pytest
import torch

from reeltag.core.probability import MeanLogits, fused_logits, prob_logits, sigmoid


def prob(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def logit(p: float) -> float:
    return math.log(p / (1 - p))


@pytest.mark.parametrize(("a", "b"), [(0.05, 0.95), (1.0, 1.0), (1.0, 0.0), (0.3, 2.0)])
def test_fusion_is_the_product_of_powers(a: float, b: float) -> None:
    videos, segments = [-4.0, 0.0, 3.0, 2.0], [1.0, -2.0, 5.0, -7.0]
    found = fused_logits(
        torch.tensor(videos), torch.tensor(segments), video_power=a, segment_power=b
    )
    expected = [logit(prob(v) ** a * prob(s) ** b) for v, s in zip(videos, segments, strict=True)]
    assert found.tolist() == pytest.approx(expected, rel=1e-5, abs=1e-5)  # float32 against float64


def test_fusion_by_hand() -> None:
    """0.8^0.5 * 0.2^0.5 = 0.4: the logit is log(0.4 / 0.6)."""
    video, segment = torch.tensor([math.log(4)]), torch.tensor([-math.log(4)])
    found = fused_logits(video, segment, video_power=0.5, segment_power=0.5)
    assert found.item() == pytest.approx(math.log(2 / 3), abs=1e-6)


def test_scores_that_are_certain_keep_their_order() -> None:
    """float32 probabilities are 1 from a logit of 17 on, and 0 below -104."""
    segments = torch.tensor([20.0, 30.0, 60.0, -200.0, -300.0])
    found = fused_logits(
        torch.full((5,), 40.0), segments, video_power=0.05, segment_power=0.95
    ).tolist()
    assert found[0] < found[1] < found[2] < math.inf
    assert -math.inf < found[4] < found[3] == pytest.approx(-190, abs=1e-3)


def test_video_that_cannot_hold_the_class_makes_it_impossible() -> None:
    out = fused_logits(
        torch.tensor([-torch.inf, 0.0]), torch.zeros(2), video_power=0.0, segment_power=1.0
    )
    assert out.tolist() == [-math.inf, pytest.approx(0.0, abs=1e-6)]


@pytest.mark.parametrize("of_probs", [True, False])
def test_means_are_over_the_answers_that_a_row_has(of_probs: bool) -> None:
    answers = torch.tensor([[1.0, -3.0], [2.0, 0.5], [-1.0, 4.0]])
    mean = MeanLogits(of_probs=of_probs)
    mean.add(answers, torch.tensor([0, 1, 2]), 3)
    mean.add(answers[:2] * 3, torch.tensor([2, 0]), 3)
    given = [[[1.0, -3.0], [6.0, 1.5]], [[2.0, 0.5]], [[-1.0, 4.0], [3.0, -9.0]]]
    for row, its in enumerate(given):
        for c in range(2):
            values = [answer[c] for answer in its]
            expected = sum(map(prob, values)) / len(values) if of_probs else 0.0
            expected = logit(expected) if of_probs else sum(values) / len(values)
            assert mean.mean()[row, c].item() == pytest.approx(expected, abs=1e-5)


def test_mean_of_certain_probabilities_is_still_a_number() -> None:
    mean = MeanLogits(of_probs=True)
    for value in (60.0, 80.0):
        mean.add(torch.tensor([[value, -value]]), torch.tensor([0]), 1)
    expected = 60 + math.log(2)  # of two chances of failure, the smaller adds nothing
    assert mean.mean().tolist() == [pytest.approx([expected, -expected], abs=1e-4)]


def test_logits_of_probabilities_are_those_they_came_from() -> None:
    """Of 1 - p is lost what float64 loses: 2^-53 of 1 - p = 4e-8, 3e-9 of the logit."""
    logits = np.array([-100.0, -17.0, -1.0, 0.0, 2.5, 17.0])
    np.testing.assert_allclose(prob_logits(sigmoid(logits)), logits, rtol=0, atol=1e-8)


def test_logits_of_certain_probabilities_are_finite_and_beyond_all_others() -> None:
    one, zero = np.float32(1), np.float32(0)
    probs = np.array([zero, np.nextafter(zero, one), np.nextafter(one, zero), one])
    assert probs.dtype == np.float32
    logits = prob_logits(probs)
    assert np.isfinite(logits).all() and logits.dtype == np.float64
    assert logits[0] == logits[1] < logits[2] < logits[3]
