"""Fully connected layers that halve down to a few units and double back: how few do, by Samsung.

    mean over real frames -> 2048 -> 1024 -> ... -> 4 -> ... -> 1024 -> 2048 -> logits

Each arrow is linear, dropout, ReLU (the authors' order), the last one linear alone.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import CountOrZero, DropoutRate, Size
from reeltag.models.resnet_like import RECIPE as RECIPE

SOURCE = "twoleggedeye/youtube8m video_level_nn_models/models.py, BottleFCN1; slides, row 16"
PREPROCESSING = PreprocessingConfig(normalise="none")


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """A bottleneck of 4 units, the last row of the authors' table."""

    hidden: Size = 2048
    """Units of the first and the last hidden layer."""
    halvings: CountOrZero = 9
    """How often they are halved; the narrowest layer has `hidden` / 2^`halvings` units."""
    dropout: DropoutRate = 0.0
    """Share of the values that each hidden layer drops in training."""

    def check(self) -> None:
        allowed = f"an integer >= 0 so that 2^halvings divides hidden, {self.hidden}"
        self.check_field("halvings", self.hidden % 2**self.halvings == 0, allowed)

    def widths(self) -> list[int]:
        """Return the units of each hidden layer."""
        down = [self.hidden >> halved for halved in range(self.halvings + 1)]
        return down + down[-2::-1]

    def build(self) -> "Bottleneck":
        """Return the model with freshly drawn weights."""
        return Bottleneck(self)


class Bottleneck(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = [sum(config.dims), *config.widths()]
        self.hidden = nn.Sequential(
            *(
                nn.Sequential(nn.Linear(*sizes), Dropout(config.dropout), nn.ReLU())
                for sizes in pairwise(widths)
            )
        )
        self.output = OutputLayer(widths[-1], config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        logits_BC: Tensor = self.output(self.hidden(masked_mean(frames_BTD, mask_BT)))
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))


TINY = Config(num_classes=5, dims=(6, 2), hidden=32, halvings=1)
VARIANTS = {f"bottleneck_{2048 >> n}": Config(halvings=n) for n in (3, 4, 5, 6, 7, 9)}
