"""Linear combinations over positions: the formula as loops, short and long videos."""

from typing import Any

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.models.linear_combinations import VARIANTS, Config, LinearCombinations


@pytest.mark.parametrize("length", [1, 4, 7])
def test_linear_combinations_match_loops(length: int, rng: torch.Generator) -> None:
    combine = LinearCombinations(positions=4, combinations=2).double()
    frames = torch.randn(2, length, 3, generator=rng).double()
    mask = torch.arange(length) < torch.tensor([[length], [max(1, length - 2)]])
    expected = torch.zeros(2, 2, 3).double()
    for b in range(2):
        for h in range(2):
            for d in range(3):
                expected[b, h, d] = combine.linear.bias[h]
                for t in range(min(length, 4)):
                    if mask[b, t]:
                        expected[b, h, d] += combine.linear.weight[h, t] * frames[b, t, d]
    found = combine(frames, mask)
    torch.testing.assert_close(found, expected.flatten(1), rtol=1e-12, atol=1e-12)


def test_frames_past_the_last_position_are_not_seen(rng: torch.Generator) -> None:
    combine, frames = LinearCombinations(4, 2), torch.randn(1, 9, 3, generator=rng)
    mask = torch.ones(1, 9, dtype=torch.bool)
    torch.testing.assert_close(combine(frames, mask), combine(frames[:, :4], mask[:, :4]))


@pytest.mark.parametrize("heads", [1, 3, 5])
def test_net_is_as_wide_as_the_combinations(heads: int) -> None:
    with torch.device("meta"):
        model: Any = VARIANTS[f"linear_combinations_{heads}"].build()
    widths = [tower.first.linear.in_features for tower in model.net.towers]
    assert widths == [1024 * heads, 128 * heads]
    assert all(combine.linear.weight.shape == (heads, 303) for combine in model.combine)


def test_wrong_config_raises() -> None:
    with pytest.raises(ConfigError, match="combinations is 0; allowed: an integer >= 1"):
        Config(combinations=0)
