"""ResNetLike: a residual net on vectors, one tower a stream and one on all of them together.

    stream 0 -> linear, norm, leaky ReLU, dropout -> A residual blocks --+
    stream 1 -> the same --------------------------------------------- concat -> C residual blocks
                                              -> linear, norm, leaky ReLU, dropout -> linear

Works on one vector per video (B, D), or on every frame (B, T, D) with a mask: the batch norm counts
real frames only. Source: twoleggedeye/youtube8m video_level_nn_models/models.py (Samsung, 4th of
2018), after n01z3/kaggle_yt8m of 2017.

Shape letters: N rows of any leading shape, I fan in, O fan out, D_i width of stream i.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.norm import MaskedBatchNorm

SLOPE = 0.01  # of the leaky ReLU, on the negative side
MOMENTUM, EPS = 0.1, 1e-5  # of PyTorch's batch norm, which the authors used


class FullyConnectedBlock(nn.Module):
    """y = dropout(leaky_relu(norm(W x + b))), with PyTorch's initial weights.

    Args:
        fan_in: I.
        fan_out: O.
        dropout: fraction of the values that are dropped in training.
    """

    def __init__(self, fan_in: int, fan_out: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.linear = nn.Linear(fan_in, fan_out)
        self.norm = MaskedBatchNorm(fan_out, momentum=MOMENTUM, eps=EPS)
        self.dropout = Dropout(dropout)

    def forward(self, x_NI: Tensor, mask_N: Tensor | None = None) -> Tensor:
        """Return (..., O), float32 (float64 stays).

        Args:
            x_NI: (..., I), finite everywhere.
            mask_N: (...) bool, the rows that count in the batch norm; None for all.
        """
        normed_NO = self.norm(self.linear(x_NI), mask_N)
        dropped_NO: Tensor = self.dropout(F.leaky_relu(normed_NO, SLOPE))
        return dropped_NO


class ResidualBlock(nn.Module):
    """y = leaky_relu(x + W2 dropout(leaky_relu(norm(W1 x + b1))) + b2).

    Args:
        outer: O, fan in and fan out.
        inner: units in between.
        dropout: fraction of the inner values that are dropped in training.
    """

    def __init__(self, outer: int, inner: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.block = FullyConnectedBlock(outer, inner, dropout)
        self.linear = nn.Linear(inner, outer)

    def forward(self, x_NO: Tensor, mask_N: Tensor | None = None) -> Tensor:
        """Return (..., O); `mask_N` as in `FullyConnectedBlock`."""
        return F.leaky_relu(x_NO + self.linear(self.block(x_NO, mask_N)), SLOPE)


class ResNetLike(nn.Module):
    """A tower for each stream, their outputs side by side, a tower on top, a linear output.

    The last stream is first in the concatenation, as the authors have [audio, video]; one
    stream or more than two work in the same way: S streams give S * `inner` units.

    Args:
        dims: D_i of each stream.
        num_outputs: size of the output.
        inner: units of each stream's tower, of the residual blocks on top, and before the output.
        stream_blocks: A, residual blocks of each stream.
        concat_blocks: C, residual blocks on all streams together.
        dropout: fraction of the values that each block drops in training.
        widths: units of each stream's tower where they are not all `inner`.
    """

    def __init__(
        self,
        dims: Sequence[int],
        num_outputs: int,
        *,
        inner: int = 2048,
        stream_blocks: int = 1,
        concat_blocks: int = 1,
        dropout: float = 0.5,
        widths: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        widths = [inner] * len(dims) if widths is None else list(widths)
        outer = sum(widths)
        self.towers = nn.ModuleList(
            _Tower(dim, width, stream_blocks, dropout)
            for dim, width in zip(dims, widths, strict=True)
        )
        self.blocks = nn.ModuleList(
            ResidualBlock(outer, inner, dropout) for _ in range(concat_blocks)
        )
        self.last = FullyConnectedBlock(outer, inner, dropout)
        self.output = OutputLayer(inner, num_outputs)

    def forward(self, streams: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
        """Return (..., num_outputs), float32 (float64 stays).

        Args:
            streams: (..., D_i) each, with the same leading shape; finite everywhere.
            mask: (...) bool, the rows that count in the batch norms; None for all.
        """
        towers = [tower(x, mask) for tower, x in zip(self.towers, streams, strict=True)]
        x_NO = torch.cat(towers[::-1], dim=-1)
        for block in self.blocks:
            x_NO = block(x_NO, mask)
        output: Tensor = self.output(self.last(x_NO, mask))
        return output.to(torch.promote_types(output.dtype, torch.float32))


class _Tower(nn.Module):
    """A fully connected block and residual blocks of the same width."""

    def __init__(self, dim: int, width: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.first = FullyConnectedBlock(dim, width, dropout)
        self.blocks = nn.ModuleList(ResidualBlock(width, width, dropout) for _ in range(blocks))

    def forward(self, x_NI: Tensor, mask_N: Tensor | None = None) -> Tensor:
        x_NO: Tensor = self.first(x_NI, mask_N)
        for block in self.blocks:
            x_NO = block(x_NO, mask_N)
        return x_NO
