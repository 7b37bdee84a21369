"""The wide layer is a linear layer, whatever the order of its work."""

import pytest
import torch
from torch import nn

from reeltag.layers.kernels import wide_product
from reeltag.layers.wide_linear import WideLinear


@pytest.mark.parametrize("bias", [True, False])
def test_wide_linear_tiles_match_linear_under_autocast(
    bias: bool, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wide_product, "BY_ROWS", 1)
    monkeypatch.setattr(wide_product, "TILE", 15)  # 5 of 3 outputs at a time
    layer, x = WideLinear(17, 3, bias=bias), torch.randn(4, 17, generator=rng)
    plain = nn.Linear(17, 3, bias=bias)
    plain.load_state_dict(layer.state_dict())
    found = []
    for module in (layer, plain):
        leaf = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            out = module(leaf)
        gradients = torch.autograd.grad(out.float().square().sum(), [leaf, *module.parameters()])
        assert out.dtype == torch.bfloat16
        found.append([out.float(), *gradients])
    torch.testing.assert_close(found[0], found[1], rtol=0.02, atol=0.02)  # two roundings to bf16


def test_wide_linear_without_autocast_is_linear(rng: torch.Generator) -> None:
    layer, x = WideLinear(17, 3), torch.randn(4, 17, generator=rng)
    expected = x @ layer.weight.T + layer.bias
    torch.testing.assert_close(layer(x), expected)
