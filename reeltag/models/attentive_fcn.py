"""AttentiveFCN: a wide hidden layer whose units are weighted by an attention over all of them.

    mean over real frames -> linear, dropout, ReLU -> h [-> sorted] [-> more layers]
                             a = h * sigmoid(linear(h)) [+ h] -> linear -> logits

The authors' seven versions are options here. With heads, each class gets several logits, which the
same kind of attention weights and a linear map, common to all classes, makes one.

Shape letters: B videos, H hidden units, C classes, M heads.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import EPS, MOMENTUM
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, DropoutRate, Positive, Size
from reeltag.models.resnet_like import RECIPE as RECIPE

SOURCE = "twoleggedeye/youtube8m video_level_nn_models/models.py, AttentiveFCN 1 to 7"
PREPROCESSING = PreprocessingConfig(normalise="none")


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """The first AttentiveFCN with the least of the authors' widths."""

    hidden: Size = 4096
    """Units of a hidden layer; the authors have 4096 to 16000."""
    layers: Count = 1
    """Hidden layers."""
    dropout: DropoutRate = 0.0
    """Share of the values that each hidden layer drops in training."""
    attention: Literal["sigmoid", "softmax"] = "sigmoid"
    """How attention scores become weights: each unit by itself, or all together summing to 1."""
    sort: bool = False
    """Sort the first layer's units of each video, smallest first."""
    heads: Positive = 1
    """Logits a class that are mixed into one."""
    residual: Literal["none", "plain", "norm"] = "none"
    """Add the hidden units to a linear map of the weighted ones; norm: batch norm of the sum."""

    def build(self) -> "AttentiveFCN":
        """Return the model with freshly drawn weights."""
        return AttentiveFCN(self)


class Attention(nn.Module):
    """y = x * sigmoid(W x + b), or softmax in its place.

    Args:
        size: H, kept.
        kind: how scores become weights.
    """

    def __init__(self, size: int, kind: str) -> None:
        super().__init__()
        self.linear, self.kind = nn.Linear(size, size), kind

    def forward(self, x_BH: Tensor) -> Tensor:
        """Return the weighted values (..., H)."""
        scores_BH: Tensor = self.linear(x_BH)
        weights_BH = scores_BH.softmax(dim=-1) if self.kind == "softmax" else scores_BH.sigmoid()
        return x_BH * weights_BH


class AttentiveFCN(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, classes, self.heads = config.hidden, config.num_classes, config.heads
        self.sort = config.sort
        self.hidden = nn.ModuleList(
            nn.Sequential(nn.Linear(fan_in, size), Dropout(config.dropout), nn.ReLU())
            for fan_in in [sum(config.dims)] + [size] * (config.layers - 1)
        )
        self.attention = Attention(size, config.attention)
        self.residual = None if config.residual == "none" else nn.Linear(size, size)
        self.norm = None
        if config.residual == "norm":
            self.norm = MaskedBatchNorm(size, momentum=MOMENTUM, eps=EPS)
        kind = OutputLayer if config.heads == 1 else nn.Linear
        self.output = kind(size, classes * config.heads)
        self.mix: nn.Module = nn.Identity()
        if config.heads > 1:
            self.mix = nn.Sequential(Attention(config.heads, "sigmoid"), nn.Linear(config.heads, 1))

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        hidden_BH = masked_mean(frames_BTD, mask_BT)
        for number, layer in enumerate(self.hidden):
            hidden_BH = layer(hidden_BH)
            if self.sort and number == 0:
                hidden_BH = hidden_BH.sort(dim=-1).values
        weighted_BH = self.attention(hidden_BH)
        if self.residual is not None:
            weighted_BH = hidden_BH + self.residual(weighted_BH)
        if self.norm is not None:
            weighted_BH = self.norm(weighted_BH)
        logits_BC = self._mixed(self.output(weighted_BH))
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))

    def _mixed(self, logits_BL: Tensor) -> Tensor:
        """Return one logit a class (B, C) of M a class, L = C * M."""
        if self.heads == 1:
            return logits_BL
        mixed_BC1: Tensor = self.mix(logits_BL.unflatten(-1, (-1, self.heads)))
        return mixed_BC1.squeeze(-1)


TINY = Config(num_classes=5, dims=(6, 2), hidden=32)
VARIANTS = {
    "attentive_fcn_4096": Config(),
    "attentive_fcn_16000": Config(hidden=16000),
    "attentive_fcn_2_five_heads": Config(heads=5),
    "attentive_fcn_3_two_layers": Config(layers=2, dropout=0.3),
    "attentive_fcn_4_softmax": Config(attention="softmax"),
    "attentive_fcn_5_sorted": Config(sort=True),
    "attentive_fcn_6_residual": Config(residual="plain"),
    "attentive_fcn_7_residual_norm": Config(residual="norm"),
}
