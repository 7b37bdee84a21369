"""Nearest centroids and their counts, as loops; a model without fitted centroids."""

from dataclasses import replace

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.models import kmeans_resnet
from reeltag.models.kmeans_resnet import TINY, count, nearest


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans_resnet, "TOGETHER", 3)  # several parts of 7 centroids


def test_counts_are_of_nearest_centroids(rng: torch.Generator) -> None:
    frames = torch.randn(2, 5, 3, generator=rng).double()
    centroids = torch.randn(7, 3, generator=rng).double()
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    expected = torch.zeros(2, 7)
    numbers = torch.zeros(2, 5, dtype=torch.int64)
    for b in range(2):
        for t in range(5):
            distances = [((frames[b, t] - centre) ** 2).sum().item() for centre in centroids]
            numbers[b, t] = distances.index(min(distances))
            if mask[b, t]:
                expected[b, numbers[b, t]] += 1
    found = nearest(frames, centroids)
    assert found.equal(numbers)
    assert count(found, mask, 7).equal(expected)


def test_equally_near_centroids_count_for_the_first() -> None:
    centroids = torch.tensor([[9.0], [1.0], [-1.0], [1.0], [9.0], [-1.0], [9.0]])
    assert nearest(torch.zeros(1, 1, 1), centroids).item() == 1


def test_bfloat16_does_not_move_frames_to_other_centroids(rng: torch.Generator) -> None:
    frames, centroids = torch.randn(4, 50, 8, generator=rng), torch.randn(7, 8, generator=rng)
    with torch.autocast("cpu", torch.bfloat16):
        found = nearest(frames, centroids)
    assert found.equal(nearest(frames, centroids))


def test_fractions_are_counts_by_the_number_of_frames(rng: torch.Generator) -> None:
    counts, shares = TINY.build().eval(), replace(TINY, shares=True).build().eval()
    shares.load_state_dict(counts.state_dict())
    frames, mask = torch.randn(2, 1, 8, generator=rng), torch.ones(2, 1, dtype=torch.bool)
    torch.testing.assert_close(shares(frames, mask), counts(frames, mask))
    thrice = frames.repeat(1, 3, 1), mask.repeat(1, 3)
    torch.testing.assert_close(shares(*thrice), shares(frames, mask))
    assert not counts(*thrice).equal(counts(frames, mask))


def test_centroids_do_not_learn_and_travel_with_the_model() -> None:
    model = TINY.build()
    assert "centroids_KD" in model.state_dict()
    assert "centroids_KD" not in dict(model.named_parameters())


def test_unfitted_centroids_raise_with_the_remedy() -> None:
    model = replace(TINY, random_centroids=False).build()
    with pytest.raises(ConfigError, match="not fitted yet\n.*reeltag centroids DATA --out"):
        model.check_ready()
    model.centroids_KD.fill_(1.0)
    model.check_ready()
    TINY.build().check_ready()
