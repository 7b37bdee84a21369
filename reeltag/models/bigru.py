"""GRU in both directions, a third on top of them, and a logistic regression on its last state.

    frames -> GRU forwards and backwards, side by side -> GRU -> last state (-> gate) -> logits

or, with `branched`, each stream by itself:

    stream -> norm -> linear -> norm, ReLU6 -> the same three GRUs -> last state --+-> logits

The authors' option to shuffle the real frames in training is the loader's business:
`--frames.how random --frames.num-frames 300 --frames.no-replace`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.experts import LogisticHead
from reeltag.layers.initialisers import xavier_linear
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.recurrent import GRU, bidirectional
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import EvenSize, Penalty

SOURCE = "Skalic & Austin 2018 (Next top GB model); miha-skalic/youtube8mchallenge GRUbidirect"
PREPROCESSING = PreprocessingConfig()
RECIPE = {"batch_size": 220, "optim": {"learning_rate": 8e-5}}  # RNN3 of the authors' table


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Bidirectional GRU with the authors' sizes as defaults."""

    cells: EvenSize = 1024
    """Units of the upper layer; each direction of the lower one has half as many. With `branched`
    those of the first stream; the others have as many in proportion to their width."""
    branched: bool = False
    """Each stream by itself, behind batch norm, a linear layer and batch norm again."""
    gate: bool = False
    """Multiply the last state by a sigmoid of a linear layer on it."""
    l2: Penalty = 1e-8
    """Weight of the L2 penalty on the weights of the logistic regression."""

    def build(self) -> "BidirectionalGRU":
        """Return the model with freshly drawn weights."""
        return BidirectionalGRU(self)


class Stack(nn.Module):
    """Two GRUs in both directions and one on their outputs; optionally norms before them.

    Args:
        dim: width of a frame.
        half: units of each of the two; the upper one has twice as many.
        norms: batch norm, a linear layer to as many units, batch norm and ReLU6 come first.
    """

    def __init__(self, dim: int, half: int, *, norms: bool) -> None:
        super().__init__()
        self.norms = norms
        if norms:
            self.input_norm = MaskedBatchNorm(dim)
            self.linear = xavier_linear(dim, 2 * half, bias=False)
            self.norm = MaskedBatchNorm(2 * half)
        self.both = bidirectional(GRU, 2 * half if norms else dim, half)
        self.upper = GRU(2 * half, 2 * half)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the last state (B, 2 * half) in float32 (float64 stays)."""
        if self.norms:
            x_BTD = self.linear(self.input_norm(x_BTD, mask_BT))
            x_BTD = F.relu6(self.norm(x_BTD, mask_BT))
        both_BTH, _ = self.both(x_BTD, mask_BT)
        _, state_BLH = self.upper(both_BTH, mask_BT)
        last_BH: Tensor = state_BLH[:, -1]
        return last_BH


class BidirectionalGRU(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.widths = list(config.dims) if config.branched else [sum(config.dims)]
        halves = [max(1, config.cells * width // (2 * self.widths[0])) for width in self.widths]
        self.stacks = nn.ModuleList(
            Stack(width, half, norms=config.branched)
            for width, half in zip(self.widths, halves, strict=True)
        )
        size = 2 * sum(halves)
        self.gate = xavier_linear(size, size) if config.gate else None
        self.head = LogisticHead(size, config.num_classes, l2=config.l2)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        parts = frames_BTD.split(self.widths, dim=-1)
        states = [stack(x_BTD, mask_BT) for stack, x_BTD in zip(self.stacks, parts, strict=True)]
        state_BH = torch.cat(states, dim=-1)
        if self.gate is not None:
            state_BH = state_BH * self.gate(state_BH).sigmoid()
        logits_BC: Tensor = self.head(state_BH)
        return logits_BC


TINY = Config(num_classes=5, dims=(6, 2), cells=8)
VARIANTS = {
    "bigru_512_512_1024": Config(),
    "bigru_512_512_1024_gated": Config(gate=True),
    "bigru_branched_bn": Config(branched=True),
}
