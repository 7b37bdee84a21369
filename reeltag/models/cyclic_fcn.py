"""CyclicFCN: one hidden layer applied three times with the same weights.

mean over real frames -> linear -> leaky ReLU -> 3 x (the same linear -> leaky ReLU) -> logits
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.experts import OutputLayer
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import SLOPE
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, Size
from reeltag.models.resnet_like import RECIPE as RECIPE

SOURCE = "twoleggedeye/youtube8m video_level_nn_models/models.py, CyclicFCN"
PREPROCESSING = PreprocessingConfig(normalise="none")


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """CyclicFCN; the authors' width is not known, 4096 is the least of their AttentiveFCN."""

    hidden: Size = 4096
    """Units of the hidden layer."""
    cycles: Count = 3
    """How often it is applied."""

    def build(self) -> "CyclicFCN":
        """Return the model with freshly drawn weights."""
        return CyclicFCN(self)


class CyclicFCN(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.cycles = config.cycles
        self.input = nn.Linear(sum(config.dims), config.hidden)
        self.hidden = nn.Linear(config.hidden, config.hidden)
        self.output = OutputLayer(config.hidden, config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        hidden_BH = F.leaky_relu(self.input(masked_mean(frames_BTD, mask_BT)), SLOPE)
        for _ in range(self.cycles):
            hidden_BH = F.leaky_relu(self.hidden(hidden_BH), SLOPE)
        logits_BC: Tensor = self.output(hidden_BH)
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))


TINY = Config(num_classes=5, dims=(6, 2), hidden=16)
VARIANTS = {"cyclic_fcn": Config()}
