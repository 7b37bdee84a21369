"""Time distributed dense layer with max pooling, then ResNetLike.

frames -> per stream (linear, norm, ReLU) -> maximum over time -> ResNetLike -> logits
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import EPS, MOMENTUM, ResNetLike
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import CountOrZero, DropoutRate, Size

SOURCE = "Samsung AI 2018, slides; twoleggedeye/youtube8m EarlyConcatAlternate"
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {
    "batch_size": 128,
    "optim": {"learning_rate": 1e-3, "schedule": "constant", "clip": "none"},
}  # within what their configuration files use; this model's own is not known


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Max pooling over time with the authors' sizes as defaults."""

    inner: Size = 1024
    """Units of the ResNetLike."""
    stream_blocks: CountOrZero = 1
    """Residual blocks of each stream."""
    concat_blocks: CountOrZero = 1
    """Residual blocks on all streams together."""
    dropout: DropoutRate = 0.5
    """Share of the ResNetLike's values that are dropped in training."""

    def build(self) -> "TimeDistributedMax":
        """Return the model with freshly drawn weights."""
        return TimeDistributedMax(self)


class TimeDistributedMax(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims = config.dims
        self.linears = nn.ModuleList(nn.Linear(dim, dim, bias=False) for dim in config.dims)
        self.norms = nn.ModuleList(
            MaskedBatchNorm(dim, momentum=MOMENTUM, eps=EPS) for dim in config.dims
        )
        self.head = ResNetLike(
            config.dims,
            config.num_classes,
            inner=config.inner,
            stream_blocks=config.stream_blocks,
            concat_blocks=config.concat_blocks,
            dropout=config.dropout,
        )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        found_BTD = self.frame_terms(frames_BTD, mask_BT)
        return self.pooled_logits(self.pooled_terms(found_BTD, mask_BT))

    def frame_terms(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return the units of each frame (B, T, D); the mask counts in training alone."""
        streams = zip(frames_BTD.split(self.dims, dim=-1), self.linears, self.norms, strict=True)
        return torch.cat(
            [F.relu(norm(linear(x_BTD), mask_BT)) for x_BTD, linear, norm in streams], dim=-1
        )

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the maximum over time (B, D)."""
        padding_BT1 = ~mask_BT.unsqueeze(-1)
        return terms_BTS.masked_fill(padding_BT1, 0.0).amax(dim=1)  # a ReLU is never below

    def pooled_logits(self, pooled_BP: Tensor) -> Tensor:
        """Return logits (B, C)."""
        logits_BC: Tensor = self.head(pooled_BP.split(self.dims, dim=-1))
        return logits_BC


TINY = Config(num_classes=5, dims=(6, 2), inner=8)
VARIANTS = {"time_distributed_max_1024": Config()}
