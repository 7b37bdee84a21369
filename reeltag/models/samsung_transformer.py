"""Samsung's transformer encoder: frames that look at each other, then their mean.

    frames -> n x (attention with sine positions, linear, dropout, ReLU) -> mean over time -> logits

There is no residual connection, no layer norm and no second linear layer. For one with them:
`transformer`. The authors take the sigmoid twice, in the model and in the loss; here it is once.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.frame_attention import masked_attention
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.rotary import sine_codes
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, DropoutRate, Positive, Size

SOURCE = "Samsung AI 2018, slides; twoleggedeye/youtube8m TransformerEncoder"
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {
    "batch_size": 512,
    "optim": {"learning_rate": 5e-3, "schedule": "constant", "clip": "none"},
}  # their configuration file


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """A transformer encoder as Samsung describes it."""

    num_layers: Count = 1
    """Layers of attention."""
    heads: Positive = 1
    """Ways of looking at the other frames, each of them with `size` features."""
    size: Size = 500
    """Units of a layer."""
    dropout: DropoutRate = 0.3
    """Share of a layer's units that are dropped in training; their configuration file has 0."""

    def build(self) -> "SamsungTransformer":
        """Return the model with freshly drawn weights."""
        return SamsungTransformer(self)


class SineAttention(nn.Module):
    """Attention with positions in the queries and keys, and nothing around it.

        z_h[t] = sum_s softmax_s(q_h[t] . k_h[s] / sqrt(I)) v_h[s]
        y[t] = relu(dropout(W [z_1[t] .. z_H[t]] + b))

    With sine codes p added to queries and keys, and to them alone: q = Wq (x + p) + bq,
    k = Wk (x + p), v = Wv x + bv. A bias in the keys would cancel in the softmax, so there is none.

    Shape letters: I size of a frame, H heads, O units.

    Args:
        fan_in: I.
        heads: H.
        size: O, of the result and of each head.
        dropout: share of the units that are dropped in training.
    """

    def __init__(self, fan_in: int, heads: int, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.scale = heads, fan_in**-0.5
        self.query = nn.Linear(fan_in, heads * size)
        self.key = nn.Linear(fan_in, heads * size, bias=False)
        self.value = nn.Linear(fan_in, heads * size)
        self.merge = nn.Linear(heads * size, size)
        self.dropout = Dropout(dropout)

    def forward(self, x_BTI: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, T, O); rows in the padding hold something finite."""
        placed_BTI = x_BTI + sine_codes(x_BTI)
        q_BHTO, k_BHTO, v_BHTO = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x in (self.query(placed_BTI), self.key(placed_BTI), self.value(x_BTI))
        )
        z_BHTO = masked_attention(q_BHTO, k_BHTO, v_BHTO, mask_BT, scale=self.scale)
        merged_BTO = self.merge(z_BHTO.transpose(1, 2).flatten(start_dim=2))
        return F.relu(self.dropout(merged_BTO))


class SamsungTransformer(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        sizes = [sum(config.dims)] + [config.size] * config.num_layers
        self.layers = nn.ModuleList(
            SineAttention(fan_in, config.heads, size, config.dropout)
            for fan_in, size in pairwise(sizes)
        )
        self.output = OutputLayer(config.size, config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        x_BTO = frames_BTD
        for layer in self.layers:
            x_BTO = layer(x_BTO, mask_BT)
        logits_BC: Tensor = self.output(masked_mean(x_BTO, mask_BT))
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))


TINY = Config(num_classes=5, dims=(6, 2), heads=2, size=8)
VARIANTS = {
    "samsung_transformer_1x500": Config(),
    "samsung_transformer_1x500_no_dropout": Config(dropout=0.0),
}
