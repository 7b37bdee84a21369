"""NetFV against its formula written as loops."""

import pytest
import torch
from torch import Tensor

from reeltag.layers.fisher import NetFV

MASK = torch.arange(5) < torch.tensor([[5], [3]])


def unit(x: Tensor, dim: int) -> Tensor:
    norm: Tensor = x.norm(dim=dim, keepdim=True)
    return x / norm


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_netfv_matches_loops(coupled: bool, training: bool, rng: torch.Generator) -> None:
    pool = NetFV(4, 3, coupled=coupled).double().train(training)
    frames = torch.randn(2, 5, 4, generator=rng).double()
    scale, shift = torch.rand(2, 4, generator=rng).double()
    x = scale * frames + shift
    scores = x @ pool.assign.weight.T
    mean, var = pool.assign_norm.running_mean, pool.assign_norm.running_var
    if training:
        mean, var = scores[MASK].mean(dim=0), scores[MASK].var(dim=0, correction=0)
    centres = 0.01 * pool.assign.weight.T if pool.centres_DK is None else pool.centres_DK
    spread = pool.spread_DK**2 + 1e-6
    first, second = (torch.zeros(2, 4, 3).double() for _ in range(2))
    for b in range(2):
        for t in range(int(MASK[b].sum())):
            weight = ((scores[b, t] - mean) / (var + 1e-3).sqrt()).softmax(dim=-1)
            for k in range(3):
                beyond = (x[b, t] - centres[:, k]) / spread[:, k]
                first[b, :, k] += weight[k] * beyond
                second[b, :, k] += weight[k] * (beyond**2 - 1)
    halves = unit(unit(first, 1).flatten(1), -1), unit(second.flatten(1), -1)
    ours = pool(frames, MASK, (scale, shift))
    torch.testing.assert_close(ours, torch.cat(halves, dim=-1), rtol=1e-10, atol=1e-12)


def test_netfv_of_no_frames_is_zero() -> None:
    pool, mask = NetFV(4, 3).eval(), torch.zeros(1, 5, dtype=torch.bool)
    assert not pool(torch.zeros(1, 5, 4), mask).any()
