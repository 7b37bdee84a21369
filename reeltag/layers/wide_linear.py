"""A linear layer whose weights are too many to be copied, and whose gradient need not be written.

With hundreds of millions of weights a step is bound by memory, not by products. The gradient of
such a weight is a product of two thin matrices, of as many rows as there are videos in a batch; an
optimiser that knows both computes it where it is used, some columns at a time.

Shape letters: B videos, V inputs, H outputs.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.kernels import wide_product as kernel
from reeltag.layers.kernels.dispatch import faster
from reeltag.layers.kernels.factored_gradient import FactoredGradient


@faster(cpu=kernel.wide_product, when=kernel.pays, autocast=True)
def wide_product(
    input_BV: Tensor,
    weight_HV: Tensor,
    bias_H: Tensor | None,
    gradient: FactoredGradient | None = None,
) -> Tensor:
    """Return input @ weight.T + bias, (B, H).

    Args:
        input_BV: floating point.
        weight_HV: of the layer.
        bias_H: of the layer, or None.
        gradient: takes the gradient of the weight, where a kernel is used; None: autograd's way.
    """
    return F.linear(input_BV, weight_HV, bias_H)


class WideLinear(nn.Linear):
    """`nn.Linear`, with a kernel for very many weights."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, H) for `input` (B, V)."""
        gradient = factored_gradient_of(self.weight) if torch.is_grad_enabled() else None
        return wide_product(input, self.weight, self.bias, gradient)


def factored_gradient_of(weight: Tensor) -> FactoredGradient | None:
    """Return where the gradient of a weight is kept as two factors; None for most weights."""
    found: FactoredGradient | None = getattr(weight, "factored_gradient", None)
    return found


def factor_gradients(model: nn.Module) -> list[Tensor]:
    """Let the gradients of a model's wide layers be kept as factors; return their weights.

    Such a weight has no `.grad` after a backward pass: `training.optimiser` knows how to clip and
    to step with its factors. It is laid out by columns (its shape stays), so that some columns are
    one stretch of memory. Weights that are frozen, small or on a GPU stay as they are.

    Args:
        model: to be trained, on its device.
    """
    weights = []
    for layer in model.modules():
        if isinstance(layer, WideLinear) and _can_be_factored(layer.weight):
            layer.weight.data = layer.weight.data.T.contiguous().T
            cast(Any, layer.weight).factored_gradient = FactoredGradient()
            weights.append(layer.weight)
    return weights


def _can_be_factored(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and weight.requires_grad and weight.numel() >= kernel.WIDE
