"""The initial weights of TensorFlow slim and of WILLOW, in place.

Shapes are PyTorch's: a linear weight is (out, in).
"""

import math

from torch import Tensor, nn


def variance_scaling_(weight: Tensor, fan_in: int) -> None:
    """Fill with a normal cut at 2 sd, of sd sqrt(1.3 * 2 / fan_in): slim's default scaling."""
    std = math.sqrt(1.3 * 2 / fan_in)
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def xavier_linear(fan_in: int, fan_out: int, *, bias: bool = True) -> nn.Linear:
    """Return a linear layer as slim starts it: Glorot uniform weights, bias 0."""
    linear = nn.Linear(fan_in, fan_out, bias=bias)
    nn.init.xavier_uniform_(linear.weight)
    if bias:
        nn.init.zeros_(linear.bias)
    return linear


def scaled_linear(fan_in: int, fan_out: int, *, bias: bool = True) -> nn.Linear:
    """Return a linear layer with `variance_scaling_` weights, bias 0."""
    linear = nn.Linear(fan_in, fan_out, bias=bias)
    variance_scaling_(linear.weight, fan_in)
    if bias:
        nn.init.zeros_(linear.bias)
    return linear


def normal_linear(fan_in: int, fan_out: int, *, std: float, bias_std: float = -1.0) -> nn.Linear:
    """Return a linear layer with N(0, std) weights; a bias N(0, bias_std), none if negative."""
    linear = nn.Linear(fan_in, fan_out, bias=bias_std >= 0)
    nn.init.normal_(linear.weight, std=std)
    if bias_std >= 0:
        nn.init.normal_(linear.bias, std=bias_std)
    return linear
