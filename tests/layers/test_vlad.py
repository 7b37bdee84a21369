"""NetVLAD and its two kinds against the paper's formula written as loops."""

import pytest
import torch

from reeltag.layers.aggregation import normalised_sums
from reeltag.layers.vlad import Kind, NetVLAD

MASK = torch.arange(5) < torch.tensor([[5], [3]])
KINDS: tuple[Kind, ...] = ("vlad", "rvlad", "vlagd")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_netvlad_matches_loops(kind: Kind, training: bool, rng: torch.Generator) -> None:
    pool = NetVLAD(4, 3, kind).double().train(training)
    frames = torch.randn(2, 5, 4, generator=rng).double()
    scale, shift = torch.rand(2, 4, generator=rng).double()
    x = scale * frames + shift
    scores = x @ pool.assign.weight.T
    mean, var = pool.assign_norm.running_mean, pool.assign_norm.running_var
    if training:
        mean, var = scores[MASK].mean(dim=0), scores[MASK].var(dim=0, correction=0)
    expected = torch.zeros(2, 4, 3).double()
    for b in range(2):
        for t in range(int(MASK[b].sum())):
            weight = ((scores[b, t] - mean) / (var + 1e-3).sqrt()).softmax(dim=-1)
            for k in range(3):
                centre = pool.centres_DK[:, k] if pool.centres_DK is not None else 0.0
                expected[b, :, k] += weight[k] * (x[b, t] - centre)
    if pool.gate_KD is not None:
        expected *= 1 / (1 + torch.exp(-pool.gate_KD.T))
    expected = expected / expected.norm(dim=1, keepdim=True)
    expected = expected.flatten(1) / expected.flatten(1).norm(dim=-1, keepdim=True)
    ours = pool(frames, MASK, (scale, shift))
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("columns", [1, 3])
def test_normalised_sums_match_plain_for_clusters_and_videos_without_frames(
    columns: int, rng: torch.Generator
) -> None:
    shapes = [(3, 5, 4), (3, 5, 3), (3, 3), (4, columns), (4, 3)]
    operands = [torch.randn(shape, generator=rng).double() for shape in shapes]
    operands[1][1, :, 1] = operands[2][1, 1] = 0  # a cluster without frames
    operands[1][2], operands[2][2] = 0, 0  # a video without frames
    cotangent = torch.randn(3, 12, generator=rng).double()
    found = []
    for function in (normalised_sums, normalised_sums.plain):
        leaves = [operand.clone().requires_grad_() for operand in operands]
        out = function(*leaves)
        found.append([out, *torch.autograd.grad((out * cotangent).sum(), leaves)])
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-12)


def test_netvlad_ignores_frame_order(rng: torch.Generator) -> None:
    pool, frames = NetVLAD(4, 3), torch.randn(2, 5, 4, generator=rng)
    mask = torch.ones(2, 5, dtype=torch.bool)
    torch.testing.assert_close(pool(frames, mask), pool(frames.flip(1), mask))


@pytest.mark.parametrize("kind", KINDS)
def test_netvlad_of_no_frames_is_zero(kind: Kind) -> None:
    pool, mask = NetVLAD(4, 3, kind).eval(), torch.zeros(1, 5, dtype=torch.bool)
    assert not pool(torch.zeros(1, 5, 4), mask).any()
