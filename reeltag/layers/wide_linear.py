"""A linear layer whose weights are too many to be copied.

Shape letters: B videos, V inputs, H outputs.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.kernels import wide_product as kernel
from reeltag.layers.kernels.dispatch import faster


@faster(cpu=kernel.wide_product, when=kernel.pays, autocast=True)
def wide_product(input_BV: Tensor, weight_HV: Tensor, bias_H: Tensor | None) -> Tensor:
    """Return input @ weight.T + bias, (B, H)."""
    return F.linear(input_BV, weight_HV, bias_H)


class WideLinear(nn.Linear):
    """`nn.Linear`, with a kernel for very many weights."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, H) for `input` (B, V)."""
        return wide_product(input, self.weight, self.bias)
