"""Two layers of GRU over the frames, read by a mixture of experts.

    frames, all streams side by side -> GRU layers -> states of all layers -> experts -> logits

TensorFlow 1's cell: the reset gate is applied before the product. All frames in order; in random
order with `--frames.how random`.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from reeltag.layers.experts import MixtureOfExperts
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.recurrent import GRU
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, Penalty, Size
from reeltag.models._tensorflow_sizes import WIDTH, Shapes, mixture_sizes

SOURCE = "Miech et al. 2017, arXiv:1706.06905 sec. 3.1; Youtube-8M-WILLOW GruModel; Axon 2018"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 128,
    "optim": {"learning_rate": 2e-4, "decay": 0.9, "decay_examples": 4_000_000},
}  # README of the authors' code
CELL = "RNN/rnn/multi_rnn_cell/cell_{}/gru_cell/candidate"


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """GRU with WILLOW's sizes as defaults."""

    cells: Size = 1200
    """Units of each layer."""
    num_layers: Count = 2
    """Layers on top of each other."""
    backward: bool = False
    """Read each video from its last frame to its first."""
    num_experts: Count = 2
    """Experts a class, without the dummy expert that always says no."""
    l2: Penalty = 1e-6
    """Weight of the L2 penalty on the experts and their gates."""

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        cells = shapes.size(f"{CELL}/bias".format(0))
        return mixture_sizes(shapes) | {
            "cells": cells,
            "num_layers": shapes.count(f"{CELL}/bias"),
            WIDTH: max(shapes.size(f"{CELL}/kernel".format(0), 0) - cells, 0),
        }

    def build(self) -> "GRUModel":
        """Return the model with freshly drawn weights."""
        return GRUModel(self)


class GRUModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.rnn = GRU(sum(config.dims), config.cells, config.num_layers, reverse=config.backward)
        size = config.cells * config.num_layers
        self.head = MixtureOfExperts(size, config.num_classes, config.num_experts, l2=config.l2)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        _, state_BLH = self.rnn(frames_BTD, mask_BT)
        logits_BC: Tensor = self.head(state_BLH.flatten(1))
        return logits_BC

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        names = {f"rnn.{k}": f"RNN/rnn/{v}" for k, v in self.rnn.tensorflow_names().items()}
        return names | {f"head.{k}": v for k, v in self.head.tensorflow_names().items()}


TINY = Config(num_classes=5, dims=(6, 2), cells=8)
VARIANTS = {
    "gru_2x1200": Config(),
    "gru_2x1200_backward": Config(backward=True),
    "gru_2x1024": Config(cells=1024),
}
