"""EarlyConcatLSTM: two layers of LSTM, and a hidden layer on their last states.

frames, all streams side by side -> 2 LSTM layers -> states c and h of both
       -> hidden layer, ReLU, dropout -> logits
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.recurrent import LSTM
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, DropoutRate, Size

SOURCE = "Samsung AI 2018, slides; twoleggedeye/youtube8m EarlyConcatLSTM"
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {
    "batch_size": 128,
    "optim": {"learning_rate": 1e-3, "schedule": "constant", "clip": "none"},
}  # within what their configuration files use; this model's own is not known


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """EarlyConcatLSTM with the authors' sizes as defaults."""

    cells: Size = 1024
    """Units of each LSTM layer."""
    num_layers: Count = 2
    """LSTM layers on top of each other."""
    hidden: Size = 2048
    """Units of the hidden layer."""
    dropout: DropoutRate = 0.1
    """Share of the hidden units that are dropped in training."""

    def build(self) -> "EarlyConcatLSTM":
        """Return the model with freshly drawn weights."""
        return EarlyConcatLSTM(self)


class EarlyConcatLSTM(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.rnn = LSTM(sum(config.dims), config.cells, config.num_layers)
        self.hidden = nn.Linear(2 * config.num_layers * config.cells, config.hidden)
        self.dropout = Dropout(config.dropout)
        self.output = OutputLayer(config.hidden, config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        _, state_BLSH = self.rnn(frames_BTD, mask_BT)
        hidden_BH = self.dropout(F.relu(self.hidden(state_BLSH.flatten(1))))
        logits_BC: Tensor = self.output(hidden_BH)
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))


TINY = Config(num_classes=5, dims=(6, 2), cells=8, hidden=8)
VARIANTS = {"early_concat_lstm": Config()}
