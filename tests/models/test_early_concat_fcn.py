"""EarlyConcatFCN: the formula by hand, the weights of the streams, and configurations."""

from typing import Any

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.models.early_concat_fcn import VARIANTS, Config


def test_early_concat_fcn_matches_loops(rng: torch.Generator) -> None:
    config = Config(num_classes=3, dims=(4, 2), hidden=(5,), stream_scales=(3.0, 0.5))
    model: Any = config.build().double().eval()
    frames = torch.randn(2, 3, 6, generator=rng, dtype=torch.float64)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    logits = model(frames, mask)
    first, last = model.layers[0].linear, model.output
    for b, count in ((0, 2), (1, 3)):
        mean = [sum(frames[b, t, d].item() for t in range(count)) / count for d in range(6)]
        x = [3.0 * value for value in mean[:4]] + [0.5 * value for value in mean[4:]]
        for c in range(3):
            expected = last.bias[c].item()
            for unit in range(5):
                sums = sum(first.weight[unit, d].item() * x[d] for d in range(6))
                hidden = max(sums + first.bias[unit].item(), 0.0)
                expected += last.weight[c, unit].item() * hidden
            assert logits[b, c].item() == pytest.approx(expected, abs=1e-12)


def test_scales_are_repeated_for_further_streams() -> None:
    assert Config(dims=(4, 2, 2), stream_scales=(14.0, 7.0)).scales() == [14.0, 7.0, 7.0]
    assert Config(dims=(4, 2)).scales() == [1.0, 1.0]


def test_dropout_on_the_input_is_in_training_only(rng: torch.Generator) -> None:
    model = Config(num_classes=3, dims=(64,), hidden=(5,), input_dropout=0.5).build()
    inputs = torch.randn(2, 1, 64, generator=rng), torch.ones(2, 1, dtype=torch.bool)
    torch.manual_seed(0)
    assert not torch.equal(model(*inputs), model(*inputs))
    model.eval()
    assert torch.equal(model(*inputs), model(*inputs))


def test_sizes() -> None:
    parameters = {
        name: sum(p.numel() for p in config.build().parameters())
        for name, config in VARIANTS.items()
    }
    plain = 1152 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 3862 + 3862
    normed = 1152 * 1024 + 1024 + 2 * 1024 + 1024 * 3862 + 3862
    assert parameters == {"early_concat_fcn": plain, "early_concat_fcn_norm": normed}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden": ()}, r"hidden is \(\); allowed: one or more, each an integer >= 1"),
        (
            {"stream_scales": (1.0, 0.0)},
            "stream_scales is .*; allowed: values, each a finite number > 0",
        ),
        ({"input_dropout": 1.0}, r"input_dropout is 1.0; allowed: a number in \[0, 1\)"),
    ],
)
def test_wrong_config_raises(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Config(**changes)  # type: ignore[arg-type]
