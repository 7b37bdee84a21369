"""Fewer frames: which go, that one stays, that the rest keeps its order and comes first."""

import pytest
import torch

from reeltag.augment.frames import compact, dissimilar_keep_mask, random_keep_mask


def test_random_keep_mask_drops_frames_with_the_probability() -> None:
    torch.manual_seed(0)
    mask = torch.arange(300) < torch.tensor([[300], [200], [100]] * 40)
    kept = random_keep_mask(mask, 0.3)
    assert not (kept & ~mask).any()
    share = float(kept.sum() / mask.sum())
    assert share == pytest.approx(0.7, abs=0.015)  # 24000 coins, five standard errors


def test_random_keep_mask_keeps_one_frame() -> None:
    torch.manual_seed(0)
    mask = torch.arange(4) < torch.tensor([[3]] * 6000)
    kept = random_keep_mask(mask, 0.999999)
    assert (kept.sum(1) == 1).all()
    shares = kept.double().mean(0)
    # a third each, by 5 standard errors of .006; padding never
    assert float(shares[3]) == 0 and float((shares[:3] - 1 / 3).abs().max()) < 0.03
    single = torch.tensor([[True, False]])
    assert torch.equal(random_keep_mask(single, 0.9), single)


def test_dissimilar_keep_mask_drops_frames_by_cosine() -> None:
    angle = torch.tensor([0.0, 0.01, 0.5, 0.51, 0.51, 3.0])
    length = torch.tensor([1.0, 5.0, 1.0, 0.1, 7.0, 2.0])  # of no account
    x = (torch.stack([angle.cos(), angle.sin()], dim=-1) * length.unsqueeze(-1)).unsqueeze(0)
    mask = torch.tensor([[True, True, True, True, True, False]])
    kept = dissimilar_keep_mask(x, mask, 0.99)
    assert kept.tolist() == [[True, False, True, False, False, False]]
    assert dissimilar_keep_mask(x, mask, 0.8).tolist() == [[True] + [False] * 5]
    zeros = dissimilar_keep_mask(torch.zeros(1, 3, 2), torch.ones(1, 3, dtype=torch.bool), 0.5)
    assert zeros.all()


def test_compact_keeps_the_order_of_kept_frames(rng: torch.Generator) -> None:
    frames = torch.randint(0, 256, (5, 9, 3), generator=rng, dtype=torch.uint8)
    keep = torch.rand(5, 9, generator=rng) < 0.4
    keep[:, 4] = True
    found, mask = compact(frames, keep)
    assert found.dtype == torch.uint8 and found.shape == (5, int(keep.sum(1).max()), 3)
    for b in range(5):
        n = int(keep[b].sum())
        assert mask[b].tolist() == [t < n for t in range(mask.shape[1])]
        assert torch.equal(found[b, :n], frames[b, keep[b]])
