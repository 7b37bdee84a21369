"""Attention for each class or each feature: sizes, options, errors."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from reeltag.core.errors import ConfigError
from reeltag.layers.decision_attention import DecisionAttention
from reeltag.models.multi_attention import TINY, VARIANTS


def test_decisions_are_averaged_as_probabilities(rng: torch.Generator) -> None:
    model = TINY.build().double().eval()
    frames = torch.randn(1, 4, 8, generator=rng).double()
    x = frames
    for linear in model.linears:
        x = F.relu(linear(x) / (1 + 1e-3) ** 0.5)  # a batch norm that saw nothing
    assert isinstance(model.pool, DecisionAttention)
    weights = model.pool.attention(x).softmax(dim=1)
    probs = (weights * model.pool.decision(x).sigmoid()).sum(dim=1).view(1, 2, 5).mean(dim=1)
    logits = model(frames, torch.ones(1, 4, dtype=torch.bool))
    torch.testing.assert_close(logits, torch.logit(probs), rtol=1e-9, atol=1e-10)


def test_feature_level_attention_does_not_grow_with_classes_times_frames() -> None:
    with torch.device("meta"):
        sizes = {
            name: sum(p.numel() for p in config.build().parameters())
            for name, config in VARIANTS.items()
        }
    hidden = (1152 + 2 * 1024) * 1024 + 3 * 2 * 1024
    assert sizes == {
        "multi_attention_decision_h4": hidden + 4 * 3862 * 2049,
        "multi_attention_decision_h1": hidden + 3862 * 2049,
        "multi_attention_feature_h1": hidden + 1024 * 1024 + 1025 * 3862,
    }


@pytest.mark.parametrize("level", ["decision", "feature"])
def test_both_levels_pad_and_train(level: str, rng: torch.Generator) -> None:
    torch.manual_seed(0)
    model = replace(TINY, level=level, dropout=0.0).build()  # type: ignore[arg-type]
    frames = torch.randn(3, 6, 8, generator=rng)
    mask = torch.arange(6) < torch.tensor([[4], [2], [1]])
    logits = model(frames, mask)
    torch.testing.assert_close(model(frames[:, :4], mask[:, :4]), logits)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


def test_wrong_sizes_raise() -> None:
    with pytest.raises(ConfigError, match="heads is 0; allowed: an integer >= 1"):
        replace(TINY, heads=0)
    with pytest.raises(ConfigError, match=r"dropout is 1.0; allowed: a number in \[0, 1\)"):
        replace(TINY, dropout=1.0)
