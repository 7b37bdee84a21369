"""NetVLAD against the paper's formula written as loops."""

import pytest
import torch

from reeltag.layers.vlad import NetVLAD

MASK = torch.arange(5) < torch.tensor([[5], [3]])


@pytest.mark.parametrize("training", [True, False])
def test_matches_the_papers_formula_written_as_loops(training: bool, rng: torch.Generator) -> None:
    pool = NetVLAD(4, 3).double().train(training)
    frames = torch.randn(2, 5, 4, generator=rng).double()
    scores = frames @ pool.assign.weight.T
    mean, var = pool.assign_norm.running_mean, pool.assign_norm.running_var
    if training:
        mean, var = scores[MASK].mean(dim=0), scores[MASK].var(dim=0, correction=0)
    expected = torch.zeros(2, 4, 3).double()
    for b in range(2):
        for t in range(int(MASK[b].sum())):
            weight = ((scores[b, t] - mean) / (var + 1e-3).sqrt()).softmax(dim=-1)
            for k in range(3):
                expected[b, :, k] += weight[k] * (frames[b, t] - pool.centres_DK[:, k])
    expected = expected / expected.norm(dim=1, keepdim=True)
    expected = expected.flatten(1) / expected.flatten(1).norm(dim=-1, keepdim=True)
    torch.testing.assert_close(pool(frames, MASK), expected, rtol=1e-10, atol=1e-12)


def test_frame_order_does_not_matter(rng: torch.Generator) -> None:
    pool, frames = NetVLAD(4, 3), torch.randn(2, 5, 4, generator=rng)
    mask = torch.ones(2, 5, dtype=torch.bool)
    torch.testing.assert_close(pool(frames, mask), pool(frames.flip(1), mask))


def test_a_video_without_frames_gives_zero() -> None:
    pool, mask = NetVLAD(4, 3).eval(), torch.zeros(1, 5, dtype=torch.bool)
    assert not pool(torch.zeros(1, 5, 4), mask).any()
