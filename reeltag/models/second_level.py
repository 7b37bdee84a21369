"""Samsung's final graph: six small nets and a large one on their outputs and the input, 247.0 M.

    mean over real frames -+-> nets A, B, C, D -> linear -> ReLU -> 1024 each -+
                           +-> nets E, F       -> linear -> ReLU -> 2048 each -+-> 9344
                           +---------------------------------------------------+
    9344 -> linear, norm, ReLU 8192 -> linear, norm, ReLU 6000 -> linear -> logits

No layer has a bias. The nets are those of `sub_nets`; the authors trained them first, on soft
labels, then all of it. The published graph takes the statistics of the test batch (of 8192 videos)
in its batch norms; here they are the running ones, so that a video is scored alike in any batch.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from reeltag.core.fields import ADDED
from reeltag.layers.initialisers import xavier_linear
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.sub_nets import DenseLayer
from reeltag.models import sub_nets
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import DropoutRate
from reeltag.models.sub_nets import RECIPE as RECIPE

SOURCE = "Samsung 2018, slides; twoleggedeye/youtube8m tf_training/video_level_models.py"
PREPROCESSING = PreprocessingConfig()
EMBEDDINGS = {"a": 1024, "b": 1024, "c": 1024, "d": 1024, "e": 2048, "f": 2048}
HIDDEN = (8192, 6000)


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """The final graph with the authors' sizes as defaults."""

    divisor: Annotated[int, Ge(1), Le(256)] = 1
    """Every layer is narrower by this factor; 1 is the published size."""
    input_dropout: DropoutRate = field(default=0.0, metadata=ADDED)
    """Share of the input values that each net drops in training (the authors: 0)."""
    dropout: DropoutRate = field(default=0.0, metadata=ADDED)
    """Share of the values that each layer drops in training (the authors: 0)."""

    def nets(self) -> list[tuple[sub_nets.Config, int]]:
        """Return nets A to F, and how many outputs each has."""
        found = []
        for name, size in EMBEDDINGS.items():
            net = sub_nets.VARIANTS[f"sub_net_{name}"]
            narrow = replace(
                net,
                dims=self.dims,
                hidden=tuple(width // self.divisor for width in net.hidden),
                other_hidden=tuple(width // self.divisor for width in net.other_hidden),
                input_dropout=self.input_dropout,
                dropout=self.dropout,
            )
            found.append((narrow, size // self.divisor))
        return found

    def build(self) -> "SecondLevel":
        """Return the model with freshly drawn weights."""
        return SecondLevel(self)


class SecondLevel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        nets = config.nets()
        self.nets = nn.ModuleList(net.net(size) for net, size in nets)
        size = sum(size for _, size in nets) + sum(config.dims)
        first, second = (width // config.divisor for width in HIDDEN)
        self.hidden = nn.Sequential(
            DenseLayer(size, first, "relu", config.dropout),
            DenseLayer(first, second, "relu", config.dropout),
        )
        self.output = xavier_linear(second, config.num_classes, bias=False)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        x_BD = masked_mean(frames_BTD, mask_BT)
        embeddings = [net(x_BD).relu() for net in self.nets]
        logits_BC: Tensor = self.output(self.hidden(torch.cat([*embeddings, x_BD], dim=-1)))
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))

    def class_weights(self) -> Tensor:
        """Return the weights of the output layer (C, H)."""
        return self.output.weight


TINY = Config(num_classes=5, dims=(6, 2), divisor=64)
VARIANTS = {"second_level": Config()}
