"""LSTM in both directions, a third on top of them, and a logistic regression on its last cell.

    frames -> LSTM forwards and backwards, side by side -> LSTM -> last cell state c -> logits

The authors' option to shuffle the real frames in training is the loader's business:
`--frames.how random --frames.num-frames 300 --frames.no-replace`.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from reeltag.layers.experts import LogisticHead
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.recurrent import LSTM, bidirectional
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import EvenSize, Penalty

SOURCE = "Skalic & Austin 2018 (Next top GB model); miha-skalic/youtube8mchallenge Lstmbidirect"
PREPROCESSING = PreprocessingConfig()
RECIPE = {"batch_size": 256, "optim": {"learning_rate": 2e-4}}  # RNN2 of the authors' table


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Bidirectional LSTM with the authors' sizes as defaults."""

    cells: EvenSize = 1024
    """Units of the upper layer; each direction of the lower one has half as many."""
    l2: Penalty = 1e-8
    """Weight of the L2 penalty on the weights of the logistic regression."""

    def build(self) -> "BidirectionalLSTM":
        """Return the model with freshly drawn weights."""
        return BidirectionalLSTM(self)


class BidirectionalLSTM(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.both = bidirectional(LSTM, sum(config.dims), config.cells // 2)
        self.upper = LSTM(config.cells, config.cells)
        self.head = LogisticHead(config.cells, config.num_classes, l2=config.l2)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        both_BTH, _ = self.both(frames_BTD, mask_BT)
        _, state_BLSH = self.upper(both_BTH, mask_BT)
        logits_BC: Tensor = self.head(state_BLSH[:, -1, 0])
        return logits_BC


TINY = Config(num_classes=5, dims=(6, 2), cells=8)
VARIANTS = {"bilstm_512_512_1024": Config()}
