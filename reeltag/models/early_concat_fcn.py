"""Fully connected layers on the mean frame, all streams as one vector.

    mean over real frames -> weigh the streams -> concat -> dropout
                -> (linear [-> norm] -> ReLU -> dropout) for each layer -> linear -> logits

Samsung's EarlyConcatFCN has two plain layers. The variant of ours, one layer with batch norm and
leaky ReLU, dropout on the input, and audio of half the weight of rgb, is the best single
video-level model in docs/results/models.md.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Gt
from torch import Tensor, nn

from reeltag.core.fields import ADDED
from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.feature_subset import FeatureSubset
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import FullyConnectedBlock
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import DropoutRate, Part, Sizes
from reeltag.models.resnet_like import RECIPE as RECIPE

SOURCE = "twoleggedeye/youtube8m video_level_nn_models/models.py, EarlyConcatFCN; ours"
PREPROCESSING = PreprocessingConfig(normalise="none")


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Samsung's two layers of 1024 units."""

    hidden: Sizes = (1024, 1024)
    """Units of each layer."""
    stream_scales: tuple[Annotated[float, Gt(0)], ...] = ()
    """What each stream is multiplied with; for streams beyond the last number, the last counts;
    empty: 1."""
    features: Part = field(default=1.0, metadata=ADDED)
    """Share of the input values that the model looks at, drawn once by `features_seed`; 1: all."""
    features_seed: int = field(default=0, metadata=ADDED)
    """Of that choice."""
    input_dropout: DropoutRate = 0.0
    """Share of the input values that are dropped in training."""
    dropout: DropoutRate = 0.0
    """Share of the units that each layer drops in training."""
    norm: bool = False
    """Batch norm and leaky ReLU in each layer, instead of ReLU alone."""

    def scales(self) -> list[float]:
        """Return the factor of each stream."""
        known = self.stream_scales or (1.0,)
        return [known[min(number, len(known) - 1)] for number in range(len(self.dims))]

    def build(self) -> "EarlyConcatFCN":
        """Return the model with freshly drawn weights."""
        return EarlyConcatFCN(self)


class EarlyConcatFCN(nn.Module):
    """See the module docstring."""

    scale_D: Tensor  # noqa: N815  (a shape)

    def __init__(self, config: Config) -> None:
        super().__init__()
        scale_D = torch.cat(
            [torch.full((dim,), s) for dim, s in zip(config.dims, config.scales(), strict=True)]
        )
        self.register_buffer("scale_D", scale_D, persistent=False)
        self.subset = FeatureSubset(sum(config.dims), config.features, config.features_seed)
        self.input_dropout = Dropout(config.input_dropout)
        block = FullyConnectedBlock if config.norm else _PlainBlock
        sizes = pairwise((sum(config.dims), *config.hidden))
        self.layers = nn.Sequential(*(block(*size, config.dropout) for size in sizes))
        self.output = OutputLayer(config.hidden[-1], config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        x_BD = self.subset(masked_mean(frames_BTD, mask_BT)) * self.scale_D
        x_BD = self.input_dropout(x_BD)
        logits_BC: Tensor = self.output(self.layers(x_BD))
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))


class _PlainBlock(nn.Module):
    """y = relu(dropout(W x + b)), the order of Samsung's helper."""

    def __init__(self, fan_in: int, fan_out: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(fan_in, fan_out)
        self.dropout = Dropout(dropout)

    def forward(self, x_BI: Tensor) -> Tensor:
        return F.relu(self.dropout(self.linear(x_BI)))


TINY = Config(num_classes=5, dims=(6, 2), hidden=(16, 16), stream_scales=(2.0, 1.0), norm=True)
VARIANTS = {
    "early_concat_fcn": Config(),
    "early_concat_fcn_norm": Config(
        hidden=(1024,), stream_scales=(14.0, 7.0), input_dropout=0.2, dropout=0.5, norm=True
    ),
}
