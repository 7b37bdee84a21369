"""Fewer frames: which go, that one stays, that the rest keeps its order and comes first."""

import pytest
import torch

from reeltag.augment.frames import compact, without_chance, without_similar


def test_frames_are_dropped_with_the_probability_given() -> None:
    torch.manual_seed(0)
    mask = torch.arange(300) < torch.tensor([[300], [200], [100]] * 40)
    kept = without_chance(mask, 0.3)
    assert not (kept & ~mask).any()
    share = float(kept.sum() / mask.sum())
    assert share == pytest.approx(0.7, abs=0.015)  # 24000 coins, five standard errors


def test_one_frame_stays_any_of_them() -> None:
    torch.manual_seed(0)
    mask = torch.arange(4) < torch.tensor([[3]] * 6000)
    kept = without_chance(mask, 0.999999)
    assert (kept.sum(1) == 1).all()
    shares = kept.double().mean(0)
    # a third each, by 5 standard errors of .006; padding never
    assert float(shares[3]) == 0 and float((shares[:3] - 1 / 3).abs().max()) < 0.03
    single = torch.tensor([[True, False]])
    assert torch.equal(without_chance(single, 0.9), single)


def test_frames_like_the_one_before_are_dropped_by_cosine() -> None:
    angle = torch.tensor([0.0, 0.01, 0.5, 0.51, 0.51, 3.0])
    length = torch.tensor([1.0, 5.0, 1.0, 0.1, 7.0, 2.0])  # of no account
    x = (torch.stack([angle.cos(), angle.sin()], dim=-1) * length.unsqueeze(-1)).unsqueeze(0)
    mask = torch.tensor([[True, True, True, True, True, False]])
    kept = without_similar(x, mask, 0.99)
    assert kept.tolist() == [[True, False, True, False, False, False]]
    assert without_similar(x, mask, 0.8).tolist() == [[True] + [False] * 5]
    zeros = without_similar(torch.zeros(1, 3, 2), torch.ones(1, 3, dtype=torch.bool), 0.5)
    assert zeros.all()


def test_what_stays_keeps_its_order_and_comes_first(rng: torch.Generator) -> None:
    frames = torch.randint(0, 256, (5, 9, 3), generator=rng, dtype=torch.uint8)
    keep = torch.rand(5, 9, generator=rng) < 0.4
    keep[:, 4] = True
    found, mask = compact(frames, keep)
    assert found.dtype == torch.uint8 and found.shape == (5, int(keep.sum(1).max()), 3)
    for b in range(5):
        n = int(keep[b].sum())
        assert mask[b].tolist() == [t < n for t in range(mask.shape[1])]
        assert torch.equal(found[b, :n], frames[b, keep[b]])
