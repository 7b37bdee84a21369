"""Weights stand for copies of videos."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reeltag.metrics import weighted
from reeltag.metrics.ranking import rank_pairs
from reeltag.metrics.weighted import WeightedRanking


def pairs(seed: int, number: int, videos: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return scores, hits, lists and owners."""
    draw = torch.Generator().manual_seed(seed)
    scores, hits = torch.rand(number, generator=draw), torch.rand(number, generator=draw) < 0.4
    lists = torch.randint(0, 4, (number,), generator=draw)
    return scores, hits, lists, torch.randint(0, videos, (number,), generator=draw)


@settings(max_examples=40)
@given(st.integers(0, 2**30), st.integers(0, 90))
def test_weights_of_zero_and_one_are_a_choice_of_videos(seed: int, number: int) -> None:
    scores, hits, lists, owners = pairs(seed, number, videos=20)
    draw = torch.Generator().manual_seed(seed + 1)
    weights = torch.randint(0, 2, (20, 3), generator=draw).float()
    positives = torch.tensor([9.0, 0, 20, 4])
    ranking = WeightedRanking(rank_pairs(scores, hits, lists), owners)
    value = ranking.average_precision(positives.unsqueeze(1).expand(4, 3), weights)
    for replicate in range(3):
        kept = weights[owners, replicate] > 0
        chosen = rank_pairs(scores[kept], hits[kept], lists[kept]).average_precision(positives)
        torch.testing.assert_close(value[:, replicate], chosen, rtol=0, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("part", [1, 7, 64])
def test_size_of_a_part_does_not_matter(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, hits, lists, owners = pairs(3, 500, videos=50)
    ranking = WeightedRanking(rank_pairs(scores, hits, lists), owners)
    weights, positives = torch.randint(0, 5, (50, 2)).float(), torch.full((4, 2), 60.0)
    whole = ranking.average_precision(positives, weights)
    monkeypatch.setattr(weighted, "_HITS", part)
    torch.testing.assert_close(ranking.average_precision(positives, weights), whole)


def test_weights_are_copies(rng: torch.Generator) -> None:
    scores, hits, _, owners = pairs(5, 4000, videos=400)
    weights = torch.randint(0, 4, (400,), generator=rng)
    copies = weights[owners]
    positives = torch.tensor([float(copies[hits].sum())])
    ranking = WeightedRanking(rank_pairs(scores, hits), owners)
    value = ranking.average_precision(positives.unsqueeze(1), weights.float().unsqueeze(1))
    copied = rank_pairs(scores.repeat_interleave(copies), hits.repeat_interleave(copies))
    # copies of a hit share the precision of the first: a difference of the order of 1 / pairs
    assert float(value) == pytest.approx(float(copied.average_precision(positives)), abs=1e-3)


def test_video_drawn_twice_does_not_vouch_for_itself() -> None:
    ranking = rank_pairs(torch.tensor([3.0, 2, 1]), torch.tensor([False, True, False]))
    weighted = WeightedRanking(ranking, torch.tensor([0, 1, 2]))
    weights = torch.tensor([[1.0, 1, 2], [1, 3, 1], [1, 5, 5]])
    value = weighted.average_precision(weights[1:2], weights)
    assert value.tolist() == [[1 / 2, 1 / 2, 1 / 3]]
