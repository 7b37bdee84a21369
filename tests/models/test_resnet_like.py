"""ResNetLike: its sizes, streams left out, noise, the gate, and configurations that cannot be."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.models.resnet_like import TINY, VARIANTS, Config

INNER, BOTH, CLASSES = 2048, 4096, 3862


def size(config: Config) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in config.build().parameters())


def block(fan_in: int, fan_out: int) -> int:
    return fan_in * fan_out + fan_out + 2 * fan_out  # linear, then scale and shift


def residual(outer: int, inner: int) -> int:
    return block(outer, inner) + inner * outer + outer


@pytest.mark.parametrize(("variant", "blocks"), [("resnet_like", 1), ("resnet_like_student", 4)])
def test_layers_are_those_the_authors_describe(variant: str, blocks: int) -> None:
    towers = block(1024, INNER) + block(128, INNER) + 2 * blocks * residual(INNER, INNER)
    top = blocks * residual(BOTH, INNER) + block(BOTH, INNER) + INNER * CLASSES + CLASSES
    assert size(VARIANTS[variant]) == towers + top


def test_gate_is_a_linear_map_of_all_logits() -> None:
    assert size(VARIANTS["resnet_like_gated"]) - size(Config()) == CLASSES * CLASSES + CLASSES


@pytest.mark.parametrize("stream", [0, 1])
def test_left_out_stream_changes_nothing(stream: int, rng: torch.Generator) -> None:
    model = replace(TINY, streams=(stream,)).build().eval()
    frames, mask = torch.randn(2, 3, 8, generator=rng), torch.ones(2, 3, dtype=torch.bool)
    other = frames.clone()
    other[..., slice(6, 8) if stream == 0 else slice(0, 6)] = 9.0
    torch.testing.assert_close(model(frames, mask), model(other, mask), rtol=0, atol=0)
    other = frames + 1
    assert not model(other, mask).equal(model(frames, mask))


def test_resnet_like_reads_the_mean_of_real_frames(rng: torch.Generator) -> None:
    model, frames = TINY.build().eval(), torch.randn(2, 3, 8, generator=rng)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    mean = torch.stack([frames[0, :2].mean(dim=0), frames[1].mean(dim=0)]).unsqueeze(1)
    once = torch.ones(2, 1, dtype=torch.bool)
    torch.testing.assert_close(model(frames, mask), model(mean, once))


def test_gate_multiplies_logits(rng: torch.Generator) -> None:
    model: Any = replace(TINY, gate=True).build().eval()
    plain = TINY.build().eval()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if "gate" not in k})
    batch = torch.randn(2, 1, 8, generator=rng), torch.ones(2, 1, dtype=torch.bool)
    logits = plain(*batch)
    torch.testing.assert_close(model(*batch), logits * torch.sigmoid(model.gate(logits)))


def test_noise_is_a_fraction_of_each_values_spread_in_training_only(rng: torch.Generator) -> None:
    model = replace(TINY, noise=0.5, streams=(0,)).build()
    frames = torch.randn(500, 1, 8, generator=rng) * torch.tensor([4.0, 1, 1, 1, 1, 0, 1, 1])
    mask, seen = torch.ones(500, 1, dtype=torch.bool), []
    model.net.register_forward_pre_hook(lambda _, given: seen.append(given[0][0]))
    model(frames, mask)
    model.eval()(frames, mask)
    noise = seen[0] - frames[:, 0, :6]
    spread = frames[:, 0, :6].std(dim=0)
    torch.testing.assert_close(noise.std(dim=0), 0.5 * spread, rtol=0.15, atol=1e-6)
    torch.testing.assert_close(seen[1], frames[:, 0, :6], rtol=0, atol=0)


def test_parts_share_the_units_of_all_towers() -> None:
    assert replace(TINY, inner=10, parts=(3.0, 1.0)).widths() == [15, 5]
    assert replace(TINY, inner=10).widths() == [10, 10]
    assert replace(TINY, inner=10, streams=(1,)).widths() == [10]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"streams": (2,)}, r"streams is \(2,\); allowed: distinct numbers of streams, 0 to 1"),
        ({"streams": (1, 1)}, "streams"),
        ({"parts": (1.0,)}, r"parts is \(1.0,\); allowed: 2 numbers > 0"),
        ({"parts": (1.0, 1e-9)}, "parts that leave every stream units"),
        ({"inner": 0}, "inner is 0; allowed: an integer >= 1"),
        ({"stream_blocks": -1}, "stream_blocks is -1; allowed: an integer >= 0"),
        ({"dropout": 1.0}, r"dropout is 1.0; allowed: a number in \[0, 1\)"),
        ({"noise": -0.1}, "noise is -0.1; allowed: a finite number >= 0"),
    ],
)
def test_wrong_config_raises(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(TINY, **change)
