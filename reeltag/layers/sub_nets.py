"""The small dense nets of Samsung's final graph: linear layers without biases, batch norm, bend.

    all streams as one vector -> layers ---------+
    or each stream alone      -> layers of its own --> side by side -> linear -> outputs

Source: twoleggedeye/youtube8m tf_training/video_level_models.py (TensorFlow slim).

Shape letters: B videos, D_i width of stream i, I fan in, O outputs.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.initialisers import xavier_linear
from reeltag.layers.norm import MaskedBatchNorm

Activation: TypeAlias = Literal["swish", "relu", "leaky"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "swish": F.silu,
    "relu": F.relu,
    "leaky": partial(F.leaky_relu, negative_slope=0.2),  # TensorFlow's own slope
}


class ShiftNorm(MaskedBatchNorm):
    """Batch norm with a learned shift and no learned scale, as slim's is by default.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        del self.weight
        self.register_buffer("weight", torch.ones(channels), persistent=False)


class DenseLayer(nn.Module):
    """y = dropout(activation(norm(W x))).

    Args:
        fan_in: I.
        fan_out: O.
        activation: name of the bend.
        dropout: fraction of the values dropped in training (the authors: 0).
    """

    def __init__(
        self, fan_in: int, fan_out: int, activation: Activation, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.linear = xavier_linear(fan_in, fan_out, bias=False)
        self.norm = ShiftNorm(fan_out)
        self.activation = ACTIVATIONS[activation]
        self.dropout = Dropout(dropout)

    def forward(self, x_BI: Tensor) -> Tensor:
        """Return (B, O), float32 (float64 stays)."""
        bent_BO: Tensor = self.dropout(self.activation(self.norm(self.linear(x_BI))))
        return bent_BO


class SubNet(nn.Module):
    """One of the nets: dense layers on all streams, or on each alone, then a linear map.

    Args:
        dims: D_i of each stream.
        num_outputs: O.
        hidden: widths of the layers, of the first stream's if the streams are apart.
        other_hidden: widths of the layers of each other stream; empty: all streams are one vector.
        activation: of every layer; the output has none.
        input_dropout: fraction of the input values dropped in training (the authors: 0).
        dropout: fraction of the values that each layer drops in training (the authors: 0).
    """

    def __init__(
        self,
        dims: Sequence[int],
        num_outputs: int,
        *,
        hidden: Sequence[int],
        other_hidden: Sequence[int] = (),
        activation: Activation = "relu",
        input_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dims = list(dims) if other_hidden else [sum(dims)]
        widths = [tuple(hidden)] + [tuple(other_hidden)] * (len(self.dims) - 1)
        self.input_dropout = Dropout(input_dropout)
        self.towers = nn.ModuleList(
            nn.Sequential(
                *(DenseLayer(*sizes, activation, dropout) for sizes in pairwise((dim, *layers)))
            )
            for dim, layers in zip(self.dims, widths, strict=True)
        )
        size = sum(layers[-1] for layers in widths)
        self.output = xavier_linear(size, num_outputs, bias=False)

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return (B, O); `x_BD` has the streams side by side."""
        x_BD = self.input_dropout(x_BD)
        streams = zip(self.towers, x_BD.split(self.dims, dim=-1), strict=True)
        hidden = [tower(x_BI) for tower, x_BI in streams]
        output_BO: Tensor = self.output(hidden[0] if len(hidden) == 1 else torch.cat(hidden, -1))
        return output_BO
