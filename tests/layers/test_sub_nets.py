"""The dense nets of Samsung's final graph against their formula in plain steps."""

import math

import pytest
import torch

from reeltag.layers.sub_nets import ACTIVATIONS, Activation, DenseLayer, SubNet

BENDS = {
    "swish": lambda x: x / (1 + math.exp(-x)),
    "relu": lambda x: max(x, 0.0),
    "leaky": lambda x: x if x > 0 else 0.2 * x,
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dense_layer_matches_formula(activation: Activation, rng: torch.Generator) -> None:
    layer = DenseLayer(3, 4, activation).double()
    layer.norm.bias.data = torch.randn(4, generator=rng).double()
    x = torch.randn(5, 3, generator=rng).double()
    expected = torch.zeros(5, 4).double()
    for o in range(4):
        scores = [sum(layer.linear.weight[o, i] * row[i] for i in range(3)) for row in x]
        mean = sum(scores) / 5
        var = sum((score - mean) ** 2 for score in scores) / 5
        for n, score in enumerate(scores):
            normed = (score - mean) / (var + 1e-3) ** 0.5 + layer.norm.bias[o]
            expected[n, o] = BENDS[activation](normed.item())
    torch.testing.assert_close(layer(x), expected, rtol=1e-10, atol=1e-12)


def test_dense_layer_has_weights_and_shifts_only() -> None:
    layer = DenseLayer(3, 4, "relu")
    names = {"linear.weight", "norm.bias"}
    assert {name for name, _ in layer.named_parameters()} == names
    assert "norm.weight" not in layer.state_dict()


def test_sub_net_joins_streams_before_the_output(rng: torch.Generator) -> None:
    net = SubNet((3, 2), 4, hidden=(5, 6), other_hidden=(2,), activation="swish").eval()
    x = torch.randn(3, 5, generator=rng)
    apart = torch.cat([net.towers[0](x[:, :3]), net.towers[1](x[:, 3:])], dim=1)
    assert apart.shape == (3, 8)
    torch.testing.assert_close(net(x), apart @ net.output.weight.T)
    whole = SubNet((3, 2), 4, hidden=(5, 6)).eval()
    torch.testing.assert_close(whole(x), whole.towers[0](x) @ whole.output.weight.T)
