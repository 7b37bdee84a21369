"""Attention over time against its formula written as loops."""

import torch

from reeltag.layers.frame_attention import AttentionPool, FeatureAttention, masked_attention

MASK = torch.arange(5) < torch.tensor([[5], [3]])


def test_attention_pool_matches_loops(rng: torch.Generator) -> None:
    pool = AttentionPool(4).double()
    frames = torch.randn(2, 5, 4, generator=rng).double()
    expected = torch.zeros(2, 4).double()
    for b in range(2):
        length = int(MASK[b].sum())
        weights = [torch.exp(pool.score.weight[0] @ frames[b, t]) for t in range(length)]
        for t in range(length):
            expected[b] += weights[t] / sum(weights) * frames[b, t]
    torch.testing.assert_close(pool(frames, MASK), expected, rtol=1e-10, atol=1e-12)


def test_attention_pool_of_no_frames_is_zero_without_gradient(rng: torch.Generator) -> None:
    pool, frames = AttentionPool(4), torch.randn(2, 5, 4, generator=rng)
    mask = MASK.clone()
    mask[1] = False
    out = pool(frames, mask)
    out.sum().backward()
    assert not out[1].any() and out[0].any()
    assert pool.score.weight.grad is not None and pool.score.weight.grad.isfinite().all()


def test_feature_attention_weighs_each_feature_alone(rng: torch.Generator) -> None:
    pool = FeatureAttention(3, heads=2).double()
    frames = torch.randn(2, 5, 3, generator=rng).double()
    expected = torch.zeros(2, 6).double()
    for b in range(2):
        length = int(MASK[b].sum())
        for h in range(2):
            for d in range(3):
                score = pool.score.weight[h * 3 + d]
                weights = [torch.exp(score @ frames[b, t]) for t in range(length)]
                for t in range(length):
                    expected[b, h * 3 + d] += weights[t] / sum(weights) * frames[b, t, d]
    torch.testing.assert_close(pool(frames, MASK), expected, rtol=1e-10, atol=1e-12)


def test_masked_attention_matches_loops(rng: torch.Generator) -> None:
    query, key, value = torch.randn(3, 2, 2, 5, 4, generator=rng).double()
    mixed = masked_attention(query, key, value, MASK, scale=0.3)
    for b in range(2):
        length = int(MASK[b].sum())
        for h in range(2):
            for t in range(length):
                weights = [torch.exp(0.3 * query[b, h, t] @ key[b, h, s]) for s in range(length)]
                expected = torch.zeros(4).double()
                for s in range(length):
                    expected += weights[s] / sum(weights) * value[b, h, s]
                torch.testing.assert_close(mixed[b, h, t], expected, rtol=1e-10, atol=1e-12)


def test_masked_attention_over_no_frames_is_finite(rng: torch.Generator) -> None:
    x = torch.randn(2, 2, 5, 4, generator=rng, requires_grad=True)
    mixed = masked_attention(x, x, x, torch.zeros(2, 5, dtype=torch.bool))
    mixed.sum().backward()
    assert mixed.isfinite().all() and x.grad is not None and x.grad.isfinite().all()
