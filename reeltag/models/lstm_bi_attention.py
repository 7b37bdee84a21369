"""LSTM-Bi-Attention: each stream read in both directions, then attention over time.

stream -> linear, ReLU -> LSTM forwards and backwards
             |                |
             +--- side by side+ -> attention over time -> one vector a stream
vectors side by side -> norm -> 2 hidden layers -> logits
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.frame_attention import AttentionPool
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.recurrent import LSTM, bidirectional
from reeltag.layers.resnet import EPS, MOMENTUM
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import DropoutRate, Sizes, Widths

SOURCE = "Samsung AI 2018, slides; twoleggedeye/youtube8m EarlyConcatLSTM4"
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {
    "batch_size": 128,
    "optim": {"learning_rate": 1e-4, "schedule": "constant", "clip": "none"},
}  # their rate is RMSprop's; the batch is within what their configuration files use


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """LSTM-Bi-Attention with the authors' sizes as defaults."""

    dims: Widths = (1024, 128)
    """Width of each stream, and units of its linear layer and of its LSTM in each direction."""
    hidden: Sizes = (4096, 4096)
    """Units of the hidden layers after the attention."""
    dropout: DropoutRate = 0.0
    """Share of the hidden units that are dropped in training."""

    def build(self) -> "LSTMBiAttention":
        """Return the model with freshly drawn weights."""
        return LSTMBiAttention(self)


class Branch(nn.Module):
    """Attention over a stream and what an LSTM makes of it in both directions.

        u[t] = relu(W x[t] + b)
        z[t] = [u[t], LSTM forwards and backwards of u, at t]
        y = sum_t softmax_t(w . z[t]) z[t]

    Shape letters: D width of the stream. Source: the authors' code.

    Args:
        dim: D.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.rnn = bidirectional(LSTM, dim, dim)
        self.pool = AttentionPool(3 * dim)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, 3 D), float32 (float64 stays)."""
        units_BTD = F.relu(self.linear(x_BTD))
        both_BTH, _ = self.rnn(units_BTD, mask_BT)
        pooled: Tensor = self.pool(torch.cat([units_BTD, both_BTH], dim=-1), mask_BT)
        return pooled


class LSTMBiAttention(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims = config.dims
        self.branches = nn.ModuleList(map(Branch, config.dims))
        sizes = [3 * sum(config.dims), *config.hidden]
        self.norm = MaskedBatchNorm(sizes[0], momentum=MOMENTUM, eps=EPS)
        self.hidden = nn.ModuleList(
            nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)
        )
        self.dropout = Dropout(config.dropout)
        self.output = OutputLayer(sizes[-1], config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        streams = frames_BTD.split(self.dims, dim=-1)
        found = [
            branch(x_BTD, mask_BT) for branch, x_BTD in zip(self.branches, streams, strict=True)
        ]
        x_BH: Tensor = self.norm(torch.cat(found, dim=-1))
        for linear in self.hidden:
            x_BH = self.dropout(F.relu(linear(x_BH)))
        logits_BC: Tensor = self.output(x_BH)
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))


TINY = Config(num_classes=5, dims=(6, 2), hidden=(8,))
VARIANTS = {"lstm_bi_attention": Config()}
