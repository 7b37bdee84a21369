"""Attention over the steps of a GRU: the formula as loops, and what it does at the edges."""

import pytest
import torch

from reeltag.layers.attention_gru import AttentionGRU, StepAttention

MASK = torch.arange(4) < torch.tensor([[4], [2], [1]])


def test_matches_the_formula_written_as_loops(rng: torch.Generator) -> None:
    attention = StepAttention(5).double()
    with torch.no_grad():
        attention.hidden.bias.copy_(torch.randn(5, generator=rng))
    steps = torch.randn(3, 4, 5, generator=rng).double()
    ours = attention(steps, MASK)
    for b in range(3):
        length = int(MASK[b].sum())
        units = [torch.tanh(attention.hidden.weight @ steps[b, t] + attention.hidden.bias)
                 for t in range(length)]  # fmt: skip
        scores = [torch.exp(attention.score.weight[0] @ unit) for unit in units]
        expected = sum(scores[t] / sum(scores) * steps[b, t] for t in range(length))
        torch.testing.assert_close(ours[b], expected, rtol=1e-10, atol=1e-12)


def test_the_weights_sum_to_one_over_real_frames_and_are_zero_elsewhere(
    rng: torch.Generator,
) -> None:
    weights = StepAttention(5).weights(torch.randn(3, 4, 5, generator=rng), MASK)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3))
    assert not weights[~MASK].any() and (weights[MASK] > 0).all()


@pytest.mark.parametrize("both_ways", [True, False])
def test_one_frame_gives_its_own_step(both_ways: bool, rng: torch.Generator) -> None:
    pool = AttentionGRU(6, 3, both_ways=both_ways)
    frames, mask = torch.randn(2, 1, 6, generator=rng), torch.ones(2, 1, dtype=torch.bool)
    steps, _ = pool.recurrent(frames, mask)
    assert pool.output_size == (6 if both_ways else 3)
    torch.testing.assert_close(pool(frames, mask), steps[:, 0])


def test_a_video_without_frames_gives_zero() -> None:
    pool = AttentionGRU(6, 3)
    assert not pool(torch.ones(1, 4, 6), torch.zeros(1, 4, dtype=torch.bool)).any()
