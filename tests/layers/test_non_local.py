"""Attention among clusters: the formula as loops, and what it leaves alone."""

import pytest
import torch
import torch.nn.functional as F

from reeltag.layers.non_local import NonLocalBlock, NonLocalNetVLAD
from reeltag.layers.vlad import NetVLAD

MASK = torch.arange(5) < torch.tensor([[5], [3]])


def test_non_local_block_matches_loops(rng: torch.Generator) -> None:
    block = NonLocalBlock(4, 2, temperature=3.0).double()
    x = torch.randn(2, 3, 4, generator=rng).double()
    ours = block(x)
    for b in range(2):
        for k in range(3):
            scores = []
            for j in range(3):
                product = (block.theta.weight @ x[b, k]) @ (block.phi.weight @ x[b, j])
                scores.append(torch.exp(product / 3))
            heard = sum(scores[j] / sum(scores) * (block.value.weight @ x[b, j]) for j in range(3))
            expected = x[b, k] + block.out.weight @ heard
            torch.testing.assert_close(ours[b, k], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_non_local_netvlad_matches_loops(training: bool, rng: torch.Generator) -> None:
    pool = NonLocalNetVLAD(4, 3, temperature=2.0).double().train(training)
    frames = torch.randn(2, 5, 4, generator=rng).double()
    scale, shift = torch.rand(2, 4, generator=rng).double() + 0.5
    x = frames * scale + shift
    scores = x @ pool.assign.weight.T
    mean, var = pool.assign_norm.running_mean.clone(), pool.assign_norm.running_var.clone()
    if training:
        mean, var = scores[MASK].mean(dim=0), scores[MASK].var(dim=0, correction=0)
    vlad = torch.zeros(2, 3, 4).double()
    for b in range(2):
        for t in range(int(MASK[b].sum())):
            weight = ((scores[b, t] - mean) / (var + 1e-3).sqrt()).softmax(dim=-1)
            for k in range(3):
                vlad[b, k] += weight[k] * (x[b, t] - pool.centres_DK[:, k])
    vlad = pool.block(vlad)
    vlad = (vlad / vlad.norm(dim=-1, keepdim=True)).transpose(1, 2).flatten(1)
    expected = vlad / vlad.norm(dim=-1, keepdim=True)
    ours = pool(frames, MASK, (scale, shift))
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-12)


def test_non_local_netvlad_without_attention_is_netvlad(rng: torch.Generator) -> None:
    pool, plain = NonLocalNetVLAD(4, 3, temperature=1.0), NetVLAD(4, 3)
    torch.nn.init.zeros_(pool.block.out.weight)
    plain.load_state_dict(pool.state_dict(), strict=False)
    frames = torch.randn(2, 5, 4, generator=rng)
    torch.testing.assert_close(pool(frames, MASK), plain(frames, MASK))


def test_non_local_block_without_scores_adds_the_mean(rng: torch.Generator) -> None:
    block, x = NonLocalBlock(4, 2, temperature=1.0), torch.randn(2, 3, 4, generator=rng)
    torch.nn.init.zeros_(block.theta.weight)
    mean = F.linear(F.linear(x.mean(dim=1, keepdim=True), block.value.weight), block.out.weight)
    torch.testing.assert_close(block(x), x + mean)


def test_non_local_netvlad_of_no_frames_is_zero() -> None:
    pool, mask = NonLocalNetVLAD(4, 3, temperature=1.0).eval(), torch.zeros(1, 5, dtype=torch.bool)
    assert not pool(torch.zeros(1, 5, 4), mask).any()
