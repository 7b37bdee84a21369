"""Balanced features: like scales, streams of one size, and weights that are folded back."""

import pytest
import torch
from torch import Tensor

from reeltag.training.balancing import EXPONENT, SHRINKAGE, Balance


@pytest.fixture
def frames_ND(rng: torch.Generator) -> Tensor:
    """400 frames of a stream of 4 dimensions, three of them alike, and one of 30."""
    same = torch.randn(400, 1, generator=rng)
    few = same + 0.1 * torch.randn(400, 3, generator=rng)
    other = torch.randn(400, 31, generator=rng)
    frames = torch.cat([few, other], dim=1) * torch.linspace(0.5, 9, 34) + 5
    frames[:, 10] = 2.0
    return frames


def test_streams_have_mean_0_and_one_size(frames_ND: Tensor) -> None:
    balanced = frames_ND.clone()
    Balance.of(frames_ND, (4, 30)).apply_(balanced)
    torch.testing.assert_close(balanced.mean(dim=0), torch.zeros(34), atol=1e-5, rtol=0)
    sizes = [of.square().sum(dim=1).mean() for of in balanced.split((4, 30), dim=1)]
    assert sizes[0] == pytest.approx(1, rel=1e-4)
    assert sizes[1] == pytest.approx(29 / 30, rel=1e-4)  # one dimension is constant
    assert not balanced[:, 10].any()


def test_covariance_is_changed_where_frames_are_enough(frames_ND: Tensor) -> None:
    """100 frames a dimension in the first stream, 13 in the second."""
    balanced = frames_ND.clone()
    Balance.of(frames_ND, (4, 30)).apply_(balanced)
    unit = (frames_ND - frames_ND.mean(dim=0)) / frames_ND.std(dim=0, correction=0)
    before = torch.linalg.eigvalsh(torch.cov(unit[:, :4].T, correction=0))
    after = torch.linalg.eigvalsh(torch.cov(balanced[:, :4].T, correction=0))
    expected = before * (before + SHRINKAGE * before.mean()) ** (-2 * EXPONENT)
    torch.testing.assert_close(after, expected / expected.sum(), rtol=1e-3, atol=1e-6)
    second = torch.where(unit[:, 4:].isfinite(), unit[:, 4:], 0.0) / 30**0.5
    torch.testing.assert_close(balanced[:, 4:], second, rtol=1e-3, atol=1e-5)


def test_folded_weights_score_frames_as_they_are(frames_ND: Tensor, rng: torch.Generator) -> None:
    balance, balanced = Balance.of(frames_ND, (4, 30)), frames_ND.clone()
    balance.apply_(balanced)
    weight_CD, bias_C = torch.randn(5, 34, generator=rng), torch.randn(5, generator=rng)
    folded_CD, folded_C = balance.fold(weight_CD, bias_C)
    expected = balanced @ weight_CD.T + bias_C
    # float32 sums of 34 terms, of features up to 30
    torch.testing.assert_close(frames_ND @ folded_CD.T + folded_C, expected, rtol=1e-3, atol=1e-3)
