"""Attention over the steps of a GRU: the formula as loops, and what it does at the edges."""

import pytest
import torch

from reeltag.layers.attention_gru import AttentionGRU, StepAttention

MASK = torch.arange(4) < torch.tensor([[4], [2], [1]])


def test_step_attention_matches_loops(rng: torch.Generator) -> None:
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


def test_step_attention_weights_sum_to_one_over_real_frames(
    rng: torch.Generator,
) -> None:
    weights = StepAttention(5).weights(torch.randn(3, 4, 5, generator=rng), MASK)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3))
    assert not weights[~MASK].any() and (weights[MASK] > 0).all()


@pytest.mark.parametrize("both_ways", [True, False])
def test_attention_gru_of_one_frame_is_its_step(both_ways: bool, rng: torch.Generator) -> None:
    pool = AttentionGRU(6, 3, both_ways=both_ways)
    frames, mask = torch.randn(2, 1, 6, generator=rng), torch.ones(2, 1, dtype=torch.bool)
    steps, _ = pool.recurrent(frames, mask)
    assert pool.output_size == (6 if both_ways else 3)
    torch.testing.assert_close(pool(frames, mask), steps[:, 0])


@pytest.mark.parametrize("chunk", [0, 3])
def test_attention_gru_of_no_frames_is_zero(chunk: int) -> None:
    pool = AttentionGRU(6, 3, chunk=chunk)
    assert not pool(torch.ones(1, 4, 6), torch.zeros(1, 4, dtype=torch.bool)).any()


def test_attention_gru_reads_each_chunk_and_then_the_chunks(rng: torch.Generator) -> None:
    pool = AttentionGRU(6, 3, chunk=3)
    frames, lengths = torch.randn(3, 8, 6, generator=rng), (8, 4, 3)
    mask = torch.arange(8) < torch.tensor(lengths).unsqueeze(-1)
    ours = pool(frames, mask)
    for b, length in enumerate(lengths):
        real = torch.ones(1, length, dtype=torch.bool)
        parts = []
        for part in frames[b : b + 1, :length].split(3, dim=1):
            of_part = real[:, : part.shape[1]]
            parts.append(pool.attention(pool.recurrent(part, of_part)[0], of_part))
        chunks = torch.stack(parts, dim=1)
        assert pool.over_chunks is not None and chunks.shape == (1, -(-length // 3), 6)
        expected = pool.over_chunks(chunks, real[:, : chunks.shape[1]])
        torch.testing.assert_close(ours[b : b + 1], expected)


def test_attention_gru_second_level_keeps_the_first() -> None:
    one, two = (_drawn(chunk) for chunk in (0, 5))
    torch.testing.assert_close(dict(one), {name: two[name] for name in one}, rtol=0, atol=0)
    assert all(name.startswith("over_chunks.") for name in two.keys() - one.keys())


def _drawn(chunk: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return AttentionGRU(6, 3, chunk=chunk).state_dict()
