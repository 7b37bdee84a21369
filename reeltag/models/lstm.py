"""Two layers of LSTM over the frames, read by a mixture of experts.

    frames, all streams side by side -> LSTM layers -> states c, h of all layers (WILLOW),
                                                    or the top layer's h (starter code) -> experts

The starter code reads all frames in order; WILLOW 150 at random, in random order, which the
loader does (RECIPE).
"""

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from reeltag.layers.experts import MixtureOfExperts
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.recurrent import LSTM
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, Penalty, Size
from reeltag.models._tensorflow_sizes import WIDTH, Shapes, mixture_sizes, ratio

SOURCE = "Miech et al. 2017, arXiv:1706.06905 sec. 3.1; google/youtube-8m, LstmModel"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 128,
    "frames": {"how": "random", "num_frames": 150},
    "optim": {"learning_rate": 2e-4, "decay": 0.9, "decay_examples": 4_000_000},
}  # WILLOW's README; the starter code's, for all frames: 1e-3, decay 0.95
SCOPES = {"states": "RNN/rnn", "output": "rnn"}  # WILLOW's and the starter code's
CELL = "multi_rnn_cell/cell_{}/basic_lstm_cell"


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """LSTM with WILLOW's sizes as defaults."""

    cells: Size = 1024
    """Units of each layer."""
    num_layers: Count = 2
    """Layers on top of each other."""
    read: Literal["states", "output"] = "states"
    """What the experts see: the last states c and h of all layers, or the top layer's last h."""
    backward: bool = False
    """Read each video from its last frame to its first."""
    num_experts: Count = 2
    """Experts a class, without the dummy expert that always says no."""
    l2: Penalty = 1e-8
    """Weight of the L2 penalty on the experts and their gates."""

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        read = "states" if f"{SCOPES['states']}/{CELL}/bias".format(0) in shapes else "output"
        cell = f"{SCOPES[read]}/{CELL}"
        cells = ratio(shapes.size(f"{cell}/bias".format(0)), 4)
        return mixture_sizes(shapes) | {
            "read": read,
            "cells": cells,
            "num_layers": shapes.count(f"{cell}/bias"),
            WIDTH: max(shapes.size(f"{cell}/kernel".format(0), 0) - cells, 0),
        }

    def build(self) -> "LSTMModel":
        """Return the model with freshly drawn weights."""
        return LSTMModel(self)


class LSTMModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.read = config.read
        self.rnn = LSTM(sum(config.dims), config.cells, config.num_layers, reverse=config.backward)
        size = config.cells * (2 * config.num_layers if config.read == "states" else 1)
        self.head = MixtureOfExperts(size, config.num_classes, config.num_experts, l2=config.l2)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        _, state_BLSH = self.rnn(frames_BTD, mask_BT)
        read_BH = state_BLSH.flatten(1) if self.read == "states" else state_BLSH[:, -1, 1]
        logits_BC: Tensor = self.head(read_BH)
        return logits_BC

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        scope = SCOPES[self.read]
        names = {f"rnn.{k}": f"{scope}/{v}" for k, v in self.rnn.tensorflow_names().items()}
        return names | {f"head.{k}": v for k, v in self.head.tensorflow_names().items()}


TINY = Config(num_classes=5, dims=(6, 2), cells=8)
VARIANTS = {
    "lstm_2x1024": Config(read="output"),
    "lstm_willow_2x1024": Config(),
    "lstm_willow_2x1024_backward": Config(backward=True),
}
