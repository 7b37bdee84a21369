"""AttentionNet as its authors write it, with vectors copied to every frame."""

from dataclasses import replace

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.models.attention_net import TINY, VARIANTS, AttentionRound

MASK = torch.arange(5) < torch.tensor([[5], [3]])


def test_attention_round_matches_loops(rng: torch.Generator) -> None:
    attend = AttentionRound(3, 2, 4).double()
    frames = torch.randn(2, 5, 3, generator=rng).double()
    context = torch.randn(2, 2, generator=rng).double()
    expected = torch.zeros(2, 4).double()
    for b in range(2):
        units, weights = [], []
        for t in range(int(MASK[b].sum())):
            seen = torch.cat([frames[b, t], context[b]])
            units.append(torch.relu(attend.linear.weight @ seen + attend.linear.bias))
            weights.append(torch.exp(attend.pool.score.weight[0] @ units[-1]))
        for weight, unit in zip(weights, units, strict=True):
            expected[b] += weight / sum(weights) * unit
    found = attend(frames, context, MASK)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_attention_net_matches_vectors_copied_to_frames(rng: torch.Generator) -> None:
    model = replace(TINY, hidden=(4, 3)).build().double().eval()
    frames = torch.randn(1, 5, 8, generator=rng).double()
    mask = torch.ones(1, 5, dtype=torch.bool)
    seen = frames
    for attend in model.rounds:
        assert isinstance(attend, AttentionRound)
        units = torch.relu(attend.linear(seen))
        weights = attend.pool.score(units).softmax(dim=1)
        pooled = (weights * units).sum(dim=1, keepdim=True)
        seen = torch.cat([seen, pooled.expand(-1, 5, -1)], dim=-1)
    x = seen.mean(dim=1) / (1 + 1e-5) ** 0.5  # a batch norm that saw nothing
    for linear in model.hidden:
        x = torch.relu(linear(x))
    torch.testing.assert_close(model(frames, mask), model.output(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("rounds", "size"), [(3, 1024), (5, 512), (4, 768)])
def test_published_sizes_have_the_parameters_of_the_table(rounds: int, size: int) -> None:
    with torch.device("meta"):
        model = VARIANTS[f"attention_net_{rounds}x{size}"].build()
    seen = [1152 + index * size for index in range(rounds + 1)]
    attention = sum((width + 2) * size for width in seen[:-1])  # weights, bias, score
    head = 2 * seen[-1] + (seen[-1] + 1) * 4096 + 4097 * 4096 + 4097 * 3862
    assert sum(p.numel() for p in model.parameters()) == attention + head


def test_dropout_in_the_rounds_is_for_training_only(rng: torch.Generator) -> None:
    model = replace(TINY, dropout=0.0, norm=False, round_dropouts=(0.1, 0.4)).build()
    frames = torch.randn(2, 5, 8, generator=rng)
    assert not torch.equal(model(frames, MASK), model(frames, MASK))
    assert torch.equal(model.eval()(frames, MASK), model(frames, MASK))


@pytest.mark.parametrize(
    ("dropouts", "words"),
    [((0.1,), "none, or 2 numbers in"), ((0.1, 1.0), r"values, each a number in \[0, 1\)")],
)
def test_round_dropouts_of_another_length_raise(dropouts: tuple[float, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=rf"round_dropouts is .*; allowed: {words}"):
        replace(TINY, round_dropouts=dropouts)


def test_wrong_sizes_raise() -> None:
    with pytest.raises(ConfigError, match="num_rounds is 0; allowed: an integer >= 1"):
        replace(TINY, num_rounds=0)
    with pytest.raises(
        ConfigError, match=r"hidden is \(4, 0\); allowed: one or more, each an integer"
    ):
        replace(TINY, hidden=(4, 0))
