"""Weights of videos are bytes; their sums are exact, with torch's sums of bytes and without."""

import pytest
import torch

from reeltag.metrics import video_weights
from reeltag.metrics.video_weights import MOST_IN_BAG, VideoWeights


@pytest.mark.parametrize("is_plain", [False, True])
def test_sums_of_the_largest_bag_are_exact(is_plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_plain:
        monkeypatch.setattr(video_weights, "_sums_of_bytes", None)
    weights = VideoWeights.of_table(torch.tensor([[255, 254], [1, 0]]))
    owners = torch.zeros(MOST_IN_BAG + 2, dtype=torch.int32)
    owners[-2:] = torch.tensor([1, -1])
    bags = torch.tensor([0, MOST_IN_BAG, MOST_IN_BAG + 1], dtype=torch.int32)
    wanted = [[255 * MOST_IN_BAG, 254 * MOST_IN_BAG], [1, 0], [0, 0]]  # the last is of no video
    assert weights.sums(owners, bags).tolist() == wanted


def test_weights_of_things_are_those_of_their_videos(rng: torch.Generator) -> None:
    table = torch.randint(0, 256, (9, 70), generator=rng, dtype=torch.uint8)
    weights, owners = VideoWeights.of_table(table), torch.tensor([3, 8, 0, 3])
    assert torch.equal(weights.each, table)
    assert torch.equal(weights.of(owners), table[owners].float())


def test_totals_are_sums_over_videos(rng: torch.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_weights, "_VIDEOS", 4)
    table = torch.randint(0, 9, (11, 3), generator=rng)
    values = torch.rand(2, 11, generator=rng, dtype=torch.double)
    totals = VideoWeights.of_table(table).totals(values)
    torch.testing.assert_close(totals, values @ table.double(), rtol=0, atol=1e-12)
