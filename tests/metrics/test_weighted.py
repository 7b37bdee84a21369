"""Weights stand for copies of videos."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reeltag.metrics import video_weights, weighted
from reeltag.metrics.ranking import rank_pairs
from reeltag.metrics.video_weights import VideoWeights
from reeltag.metrics.weighted import WeightedRanking
from tests.metrics import slow


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
    value = ranking.average_precision(
        positives.unsqueeze(1).expand(4, 3), VideoWeights.of_table(weights)
    )
    for replicate in range(3):
        kept = weights[owners, replicate] > 0
        chosen = rank_pairs(scores[kept], hits[kept], lists[kept]).average_precision(positives)
        torch.testing.assert_close(value[:, replicate], chosen, rtol=0, atol=1e-12, equal_nan=True)


@settings(max_examples=60)
@given(
    st.integers(0, 2**30), st.integers(0, 60), st.integers(1, 9), st.integers(1, 9), st.booleans()
)
def test_value_is_that_of_the_definition(
    seed: int, number: int, marks: int, in_bag: int, is_plain: bool
) -> None:
    scores, hits, lists, owners = pairs(seed, number, videos=7)
    scores = scores.mul(20).round()  # with ties
    draw = torch.Generator().manual_seed(seed + 1)
    counts = torch.randint(0, 4, (7, 2), generator=draw)
    positives = torch.tensor([[5, 0], [3, 9], [0, 1], [4, 4]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weighted, "_MARKS", marks)
        patch.setattr(weighted, "MOST_IN_BAG", in_bag)
        if is_plain:
            patch.setattr(video_weights, "_sums_of_bytes", None)
        ranking = WeightedRanking(rank_pairs(scores, hits, lists), owners)
        value = ranking.average_precision(positives, VideoWeights.of_table(counts))
    for column in range(2):
        weights = counts[owners, column].tolist()
        for which in range(4):
            chosen = (lists == which).nonzero().squeeze(1).tolist()
            wanted = slow.weighted_precision(
                scores[chosen].tolist(),
                hits[chosen].tolist(),
                [weights[at] for at in chosen],
                float(positives[which, column]),
            )
            assert float(value[which, column]) == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_weights_are_copies(rng: torch.Generator) -> None:
    scores, hits, _, owners = pairs(5, 4000, videos=400)
    weights = torch.randint(0, 4, (400,), generator=rng)
    copies = weights[owners]
    positives = torch.tensor([float(copies[hits].sum())])
    ranking = WeightedRanking(rank_pairs(scores, hits), owners)
    value = ranking.average_precision(
        positives.unsqueeze(1), VideoWeights.of_table(weights.unsqueeze(1))
    )
    copied = rank_pairs(scores.repeat_interleave(copies), hits.repeat_interleave(copies))
    # copies of a hit share the precision of the first: a difference of the order of 1 / pairs
    assert float(value) == pytest.approx(float(copied.average_precision(positives)), abs=1e-3)


def test_video_drawn_twice_does_not_vouch_for_itself() -> None:
    ranking = rank_pairs(torch.tensor([3.0, 2, 1]), torch.tensor([False, True, False]))
    weighted = WeightedRanking(ranking, torch.tensor([0, 1, 2]))
    weights = torch.tensor([[1.0, 1, 2], [1, 3, 1], [1, 5, 5]])
    value = weighted.average_precision(weights[1:2], VideoWeights.of_table(weights))
    assert value.tolist() == [[1 / 2, 1 / 2, 1 / 3]]
