"""The two transformers against plain loops; sizes, and what they promise about positions."""

from dataclasses import replace
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F

from reeltag.core.errors import ConfigError
from reeltag.layers.rotary import rotated, sine_codes
from reeltag.models import samsung_transformer, transformer
from reeltag.models.samsung_transformer import SineAttention
from reeltag.models.transformer import RotaryAttention

MASK = torch.arange(5) < torch.tensor([[5], [3]])


def test_samsung_layer_matches_loops(rng: torch.Generator) -> None:
    layer = SineAttention(6, heads=2, size=3).double()
    x = torch.randn(2, 5, 6, generator=rng).double()
    found, codes = layer(x, MASK), sine_codes(x)
    for b in range(2):
        length = int(MASK[b].sum())
        for t in range(length):
            heads = []
            for h in range(2):
                rows = slice(3 * h, 3 * h + 3)
                query = layer.query.weight[rows] @ (x[b, t] + codes[t]) + layer.query.bias[rows]
                keys = [layer.key.weight[rows] @ (x[b, s] + codes[s]) for s in range(length)]
                weights = [torch.exp(query @ key / 6**0.5) for key in keys]
                mixed = torch.zeros(3).double()
                for s in range(length):
                    value = layer.value.weight[rows] @ x[b, s] + layer.value.bias[rows]
                    mixed += weights[s] / sum(weights) * value
                heads.append(mixed)
            expected = torch.relu(layer.merge.weight @ torch.cat(heads) + layer.merge.bias)
            torch.testing.assert_close(found[b, t], expected, rtol=1e-10, atol=1e-12)


def test_rotary_attention_matches_loops(rng: torch.Generator) -> None:
    layer = RotaryAttention(8, heads=2).double()
    x = torch.randn(2, 5, 8, generator=rng).double()
    found = layer(x, MASK)
    for b in range(2):
        length = int(MASK[b].sum())
        heads = []
        for h in range(2):
            query, key, value = (
                x[b, :length] @ layer.split.weight[8 * part + 4 * h : 8 * part + 4 * h + 4].T
                for part in range(3)
            )
            query, key = rotated(query), rotated(key)
            mixed = torch.zeros(length, 4).double()
            for t in range(length):
                weights = [torch.exp(query[t] @ key[s] / 2) for s in range(length)]
                for s in range(length):
                    mixed[t] += weights[s] / sum(weights) * value[s]
            heads.append(mixed)
        expected = torch.cat(heads, dim=-1) @ layer.merge.weight.T
        torch.testing.assert_close(found[b, :length], expected, rtol=1e-10, atol=1e-12)


def test_modern_model_has_pre_norm_layers(rng: torch.Generator) -> None:
    model = transformer.TINY.build().double().eval()
    frames, mask = torch.randn(1, 5, 8, generator=rng).double(), MASK[:1]
    x = model.embed_norm(model.embed(frames))
    for layer in model.layers:
        assert isinstance(layer, transformer.Layer)
        x = x + layer.attention(layer.attention_norm(x), mask)
        normed = layer.mlp_norm(x)
        gate, value = (normed @ layer.mlp.widen.weight.T).chunk(2, dim=-1)
        x = x + layer.mlp.narrow(F.silu(gate) * value)
    expected = model.output(model.pool(model.last_norm(x), mask))
    torch.testing.assert_close(model(frames, mask), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("family", [samsung_transformer, transformer])
def test_frame_order_changes_logits(family: ModuleType, rng: torch.Generator) -> None:
    model = family.TINY.build().eval()
    frames = 3 * torch.randn(1, 5, 8, generator=rng)
    forward, backward = model(frames, MASK[:1]), model(frames.flip(1), MASK[:1])
    assert (forward - backward).abs().max() > 1e-4


def test_video_without_frames_is_scored_without_nan() -> None:
    nothing = torch.zeros(1, 5, dtype=torch.bool)
    for family in (samsung_transformer, transformer):
        logits = family.TINY.build().eval()(torch.ones(1, 5, 8), nothing)
        assert logits.isfinite().all()


def test_published_sizes_have_the_parameters_of_the_layers() -> None:
    with torch.device("meta"):
        samsung = samsung_transformer.Config().build()
        ours = transformer.Config().build()
    attention = 3 * 1152 * 500 + 2 * 500 + 501 * 500  # no bias in the keys
    assert sum(p.numel() for p in samsung.parameters()) == attention + 501 * 3862
    layer = 4 * 512 * 512 + 3 * 512 * 1344 + 4 * 512
    rest = 1153 * 512 + 4 * 512 + 512 + 513 * 3862
    assert sum(p.numel() for p in ours.parameters()) == 4 * layer + rest


def test_wrong_sizes_raise() -> None:
    with pytest.raises(ConfigError, match="size is 12; allowed: a multiple of twice the heads, 16"):
        replace(transformer.Config(), size=12)
    with pytest.raises(ConfigError, match="hidden is 0; allowed: an integer >= 1"):
        replace(transformer.TINY, hidden=0)
    with pytest.raises(ConfigError, match="heads is 0; allowed: an integer >= 1"):
        replace(samsung_transformer.TINY, heads=0)
