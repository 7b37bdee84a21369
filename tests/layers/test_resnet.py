"""ResNetLike against the authors' formulas written as loops, and its order of streams."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reeltag.layers.resnet import FullyConnectedBlock, ResidualBlock, ResNetLike


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.01 * x)


def linear(layer: nn.Linear, rows: Tensor) -> Tensor:
    """Return W x + b of each row, as loops."""
    found = torch.zeros(len(rows), layer.out_features).double()
    for n, row in enumerate(rows):
        for out in range(layer.out_features):
            found[n, out] = layer.bias[out]
            for i in range(layer.in_features):
                found[n, out] += layer.weight[out, i] * row[i]
    return found


def block(layer: FullyConnectedBlock, rows: Tensor) -> Tensor:
    """Return the fully connected block of each row, with the statistics of all of them."""
    scores = linear(layer.linear, rows)
    mean = torch.stack(list(scores)).sum(dim=0) / len(rows)
    var = torch.stack([(score - mean) ** 2 for score in scores]).sum(dim=0) / len(rows)
    if not layer.training:
        mean, var = layer.norm.running_mean, layer.norm.running_var
    normed = (scores - mean) / (var + 1e-5) ** 0.5
    return leaky(layer.norm.weight * normed + layer.norm.bias)


def residual(layer: ResidualBlock, rows: Tensor) -> Tensor:
    return leaky(rows + linear(layer.linear, block(layer.block, rows)))


def random_norms(module: nn.Module, rng: torch.Generator) -> None:
    """Give every batch norm a scale and a shift of its own."""
    for name, parameter in module.named_parameters():
        if ".norm." in f".{name}":
            parameter.data = torch.rand(parameter.shape, generator=rng).to(parameter.dtype)


@pytest.mark.parametrize("training", [True, False])
def test_resnet_matches_formula_on_every_row(training: bool, rng: torch.Generator) -> None:
    net: Any = ResNetLike((3, 2), 4, inner=3, stream_blocks=2, dropout=0.0, widths=(4, 2)).double()
    random_norms(net, rng)
    net.train(training)
    streams = [torch.randn(5, dim, generator=rng).double() for dim in (3, 2)]
    towers = []
    for tower, x in zip(net.towers, streams, strict=True):
        hidden = block(tower.first, x)
        for layer in tower.blocks:
            hidden = residual(layer, hidden)
        towers.append(hidden)
    assert [tower.shape[1] for tower in towers] == [4, 2]
    hidden = residual(net.blocks[0], torch.cat([towers[1], towers[0]], dim=1))  # audio, video
    expected = linear(net.output, block(net.last, hidden))
    torch.testing.assert_close(net(streams), expected, rtol=1e-10, atol=1e-12)


def test_resnet_on_frames_matches_real_rows(rng: torch.Generator) -> None:
    net = ResNetLike((3, 2), 4, inner=3, dropout=0.0).double()
    frames = torch.randn(2, 5, 5, generator=rng).double()
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    found = net(frames.split([3, 2], dim=-1), mask)
    assert found.shape == (2, 5, 4)
    rows = net([x[mask] for x in frames.split([3, 2], dim=-1)])
    torch.testing.assert_close(found[mask], rows, rtol=1e-10, atol=1e-12)


def test_resnet_blocks_drop_in_training(rng: torch.Generator) -> None:
    x = torch.randn(400, 3, generator=rng)
    layer = FullyConnectedBlock(3, 50, dropout=0.3)
    dropped = (layer(x) == 0).float().mean()
    assert abs(dropped - 0.3) < 0.02
    assert (layer.eval()(x) != 0).all()


def test_resnet_running_statistics_match_pytorchs() -> None:
    norm = FullyConnectedBlock(3, 4).norm
    other = nn.BatchNorm1d(4)
    assert (norm.momentum, norm.eps) == (other.momentum, other.eps)
