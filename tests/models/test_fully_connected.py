"""Samsung's plain fully connected nets: bottleneck, AttentiveFCN, CyclicFCN, nets A to F."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from reeltag.core.errors import ConfigError
from reeltag.models import attentive_fcn, bottleneck, cyclic_fcn, second_level, sub_nets

BATCH = torch.ones(3, 1, dtype=torch.bool)


def test_bottleneck_halves_and_doubles() -> None:
    narrow = bottleneck.VARIANTS["bottleneck_256"].widths()
    assert narrow == [2048, 1024, 512, 256, 512, 1024, 2048]
    for name, config in bottleneck.VARIANTS.items():
        assert min(config.widths()) == int(name.rpartition("_")[2])
    assert min(bottleneck.Config().widths()) == 4  # row 16 of the slides


def test_bottleneck_is_linear_layers_and_relus(rng: torch.Generator) -> None:
    model: Any = bottleneck.TINY.build().eval()
    x = torch.randn(3, 8, generator=rng)
    expected = x
    for layer in model.hidden:
        expected = (expected @ layer[0].weight.T + layer[0].bias).clamp(min=0)
    expected = expected @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(x.unsqueeze(1), BATCH), expected)


def test_cycle_has_the_same_weights_three_times(rng: torch.Generator) -> None:
    model: Any = cyclic_fcn.TINY.build()
    x = torch.randn(3, 8, generator=rng)
    hidden = F.leaky_relu(model.input(x), 0.01)
    for _ in range(3):
        hidden = F.leaky_relu(hidden @ model.hidden.weight.T + model.hidden.bias, 0.01)
    torch.testing.assert_close(model(x.unsqueeze(1), BATCH), model.output(hidden))


def attended(x: torch.Tensor, linear: torch.nn.Linear, kind: str = "sigmoid") -> torch.Tensor:
    scores = x @ linear.weight.T + linear.bias
    return x * (1 / (1 + torch.exp(-scores)) if kind == "sigmoid" else scores.softmax(dim=-1))


@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
@pytest.mark.parametrize("sort", [False, True])
def test_attention_weights_the_hidden_units(kind: Any, sort: bool, rng: torch.Generator) -> None:
    model: Any = replace(attentive_fcn.TINY, attention=kind, sort=sort).build()
    x = torch.randn(3, 8, generator=rng)
    hidden = (x @ model.hidden[0][0].weight.T + model.hidden[0][0].bias).clamp(min=0)
    if sort:
        hidden = torch.stack([torch.tensor(sorted(row)) for row in hidden.tolist()])
    expected = model.output(attended(hidden, model.attention.linear, kind))
    torch.testing.assert_close(model(x.unsqueeze(1), BATCH), expected)


def test_head_mixture_is_the_same_for_all_classes(rng: torch.Generator) -> None:
    model: Any = replace(attentive_fcn.TINY, heads=3).build()
    x = torch.randn(3, 8, generator=rng)
    hidden = attended(model.hidden[0](x), model.attention.linear)
    heads = (hidden @ model.output.weight.T + model.output.bias).view(3, 5, 3)
    expected = torch.zeros(3, 5)
    for c in range(5):
        weighted = attended(heads[:, c], model.mix[0].linear)
        expected[:, c] = weighted @ model.mix[1].weight[0] + model.mix[1].bias
    torch.testing.assert_close(model(x.unsqueeze(1), BATCH), expected)


@pytest.mark.parametrize("name", attentive_fcn.VARIANTS)
def test_attentive_fcn_gradients_reach_every_parameter(name: str, rng: torch.Generator) -> None:
    small: dict[str, Any] = {"num_classes": 5, "dims": (6, 2), "hidden": 16}
    model: Any = replace(attentive_fcn.VARIANTS[name], **small).build()
    model(torch.randn(6, 1, 8, generator=rng), torch.ones(6, 1, dtype=torch.bool)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("net", "widths"),
    [
        ("a", [1152, 1024, 1024]),
        ("b", [1152, 1024]),
        ("e", [1152, *[4096] * 4]),
        ("f", [1152, *[2048] * 5]),
    ],
)
def test_nets_on_all_streams_have_the_published_layers(net: str, widths: list[int]) -> None:
    with torch.device("meta"):
        model: Any = sub_nets.VARIANTS[f"sub_net_{net}"].build()
    shapes = [layer.linear.weight.shape for layer in model.net.towers[0]]
    assert shapes == [(out, fan_in) for fan_in, out in pairwise(widths)]


@pytest.mark.parametrize(("net", "depth"), [("c", 1), ("d", 2)])
def test_nets_on_each_stream_have_the_published_layers(net: str, depth: int) -> None:
    with torch.device("meta"):
        model: Any = sub_nets.VARIANTS[f"sub_net_{net}"].build().net
    assert [len(tower) for tower in model.towers] == [depth, depth]
    assert [tower[-1].linear.out_features for tower in model.towers] == [1024, 256]
    assert model.output.weight.shape == (3862, 1280)


def test_final_graph_has_the_published_size() -> None:
    with torch.device("meta"):
        model: Any = second_level.Config().build()
    weights = sum(p.numel() for p in model.parameters() if p.ndim == 2)
    assert weights == 247_042_976 and round(weights / 1e6, 1) == 247.0  # 942 MiB of float32
    shifts = sum(p.numel() for p in model.parameters() if p.ndim == 1)
    assert shifts == 47_728  # of the batch norms
    assert model.hidden[0].linear.weight.shape == (8192, 9344)


def test_final_graph_concatenates_nets_and_input(rng: torch.Generator) -> None:
    model: Any = second_level.TINY.build().eval()
    x = torch.randn(3, 8, generator=rng)
    joined = torch.cat([*(net(x).clamp(min=0) for net in model.nets), x], dim=1)
    hidden = joined
    for layer in model.hidden:
        norm = layer.norm
        scores = hidden @ layer.linear.weight.T - norm.running_mean
        scores = scores / (norm.running_var + 1e-3).sqrt()
        hidden = (scores + norm.bias).clamp(min=0)
    torch.testing.assert_close(model(x.unsqueeze(1), BATCH), hidden @ model.output.weight.T)


@pytest.mark.parametrize(
    ("config", "change", "words"),
    [
        (bottleneck.TINY, {"halvings": 6}, "halvings is 6; allowed: .* 2.halvings divides hidden"),
        (bottleneck.TINY, {"halvings": -1}, "halvings is -1"),
        (cyclic_fcn.TINY, {"cycles": 0}, "cycles is 0; allowed: an integer >= 1"),
        (attentive_fcn.TINY, {"attention": "max"}, "is 'max'; allowed: 'sigmoid' or 'softmax'"),
        (attentive_fcn.TINY, {"residual": "yes"}, "is 'yes'; allowed: 'none' or 'plain'"),
        (attentive_fcn.TINY, {"heads": 0}, "heads is 0"),
        (
            sub_nets.TINY,
            {"hidden": ()},
            r"hidden is \(\); allowed: one or more, each an integer >= 1",
        ),
        (sub_nets.TINY, {"other_hidden": (0,)}, r"other_hidden is \(0,\)"),
        (sub_nets.TINY, {"activation": "tanh"}, "activation is 'tanh'; allowed: 'swish' or 'relu'"),
        (second_level.TINY, {"divisor": 300}, r"divisor is 300; allowed: an integer in \[1, 256\]"),
    ],
)
def test_wrong_config_raises(config: Any, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(config, **change)
