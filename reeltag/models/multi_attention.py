"""Frames classified one by one, and an attention of its own for every class, or every feature.

    frames -> 3 x (linear, norm, ReLU, dropout) -> attention over time -> logits

decision: each class scores every frame, and weighs the scores; several such heads are averaged.
feature: each hidden unit is averaged over time with weights of its own; then a linear classifier.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.decision_attention import DecisionAttention
from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.frame_attention import FeatureAttention
from reeltag.layers.initialisers import xavier_linear
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, DropoutRate, Positive, Size

SOURCE = "Kong et al. 2018, arXiv:1711.00927; Kong et al. 2019, arXiv:1903.00765; heads: ours"
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {
    "batch_size": 500,
    "optim": {"learning_rate": 1e-3, "schedule": "constant", "clip": "none"},
}  # for AudioSet (10 frames, 527 classes); ours, from memory of what its literature uses


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Attention for each class or feature, on three hidden layers of 1024 units."""

    num_layers: Count = 3
    """Hidden layers that every frame goes through."""
    hidden: Size = 1024
    """Units of a hidden layer."""
    level: Literal["decision", "feature"] = "decision"
    """What is averaged over time: the decisions for each class, or the last hidden units."""
    heads: Positive = 4
    """Ways of weighing the frames."""
    dropout: DropoutRate = 0.5
    """Share of the hidden units that are dropped in training."""

    def build(self) -> "MultiAttentionModel":
        """Return the model with freshly drawn weights."""
        return MultiAttentionModel(self)


class MultiAttentionModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        sizes = [sum(config.dims)] + [config.hidden] * config.num_layers
        self.linears = nn.ModuleList(
            xavier_linear(fan_in, fan_out, bias=False) for fan_in, fan_out in pairwise(sizes)
        )
        self.norms = nn.ModuleList(map(MaskedBatchNorm, sizes[1:]))
        self.dropout = Dropout(config.dropout)
        self.pool: DecisionAttention | FeatureAttention
        self.classify: nn.Identity | OutputLayer
        if config.level == "decision":
            self.pool = DecisionAttention(config.hidden, config.num_classes, config.heads)
            self.classify = nn.Identity()
        else:
            self.pool = FeatureAttention(config.hidden, config.heads)
            self.classify = OutputLayer(config.heads * config.hidden, config.num_classes)
            nn.init.xavier_uniform_(self.classify.weight)
            nn.init.zeros_(self.classify.bias)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        return self.pooled_logits(self.pool(self._units(frames_BTD, mask_BT), mask_BT))

    def _units(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return the hidden units of each frame (B, T, H); the mask counts in training alone."""
        x_BTH = frames_BTD
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x_BTH = self.dropout(F.relu(norm(linear(x_BTH), mask_BT)))
        return x_BTH

    def frame_terms(self, frames_BTD: Tensor) -> Tensor:
        """Return what the attention weighs of each frame, and its scores, (B, T, S)."""
        return torch.cat(self.pool.frame_scores(self._units(frames_BTD)), dim=-1)

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return what the attention makes of all frames, (B, P)."""
        first, second = terms_BTS.split(self.pool.sizes, dim=-1)
        return self.pool.of_scores(first, second, mask_BT)

    def pooled_logits(self, pooled_BP: Tensor) -> Tensor:
        """Return logits (B, C)."""
        logits_BC: Tensor = self.classify(pooled_BP)
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))


TINY = Config(num_classes=5, dims=(6, 2), num_layers=2, hidden=8, heads=2)
VARIANTS = {
    "multi_attention_decision_h4": Config(),
    "multi_attention_decision_h1": Config(heads=1),
    "multi_attention_feature_h1": Config(level="feature", heads=1),
}
