"""A transformer encoder of today on the frames, and attention pooling.

    frames -> linear, norm -> n x (x + attention(norm(x)); x + gated MLP(norm(x))) -> norm
           -> attention over time -> linear -> logits

Positions are rotations of queries and keys, so that any length works, and the same second means the
same at every place. For Samsung's encoder of 2018: `samsung_transformer`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.frame_attention import AttentionPool, masked_attention
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.rotary import rotated
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, DropoutRate, Positive, Size

SOURCE = (
    "ours, after arXiv:1706.03762; rotary positions arXiv:2104.09864; gated MLP arXiv:2002.05202"
)
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {
    "batch_size": 128,
    "optim": {"learning_rate": 5e-4, "schedule": "one-cycle", "clip": "global"},
}


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """A pre-norm transformer with rotary positions."""

    num_layers: Count = 4
    """Layers of attention and MLP."""
    size: Size = 512
    """Features of a frame between the layers."""
    heads: Positive = 8
    """Heads of the attention, which share `size`."""
    hidden: Size = 1344
    """Units of the gated MLP."""
    dropout: DropoutRate = 0.1
    """Share of what a layer adds, and of the pooled features, that is dropped in training."""

    def check(self) -> None:
        pairs = self.size % (2 * self.heads) == 0
        self.check_field("size", pairs, f"a multiple of twice the heads, {2 * self.heads}")

    def build(self) -> "Transformer":
        """Return the model with freshly drawn weights."""
        return Transformer(self)


class RotaryAttention(nn.Module):
    """Self-attention whose queries and keys are rotated by their position; no biases.

    Shape letters: D features of a frame, H heads, F = D / H.

    Args:
        size: D.
        heads: H.
    """

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.split = nn.Linear(size, 3 * size, bias=False)
        self.merge = nn.Linear(size, size, bias=False)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, T, D); rows in the padding hold something finite."""
        parts_BT3HF = self.split(x_BTD).unflatten(-1, (3, self.heads, -1))
        q_BHTF, k_BHTF, v_BHTF = parts_BT3HF.permute(2, 0, 3, 1, 4).unbind()
        mixed_BHTF = masked_attention(rotated(q_BHTF), rotated(k_BHTF), v_BHTF, mask_BT)
        merged_BTD: Tensor = self.merge(mixed_BHTF.transpose(1, 2).flatten(start_dim=2))
        return merged_BTD


class GatedMLP(nn.Module):
    """y = W2 (silu(Wg x) * W1 x); no biases. Source: arXiv:2002.05202, SwiGLU.

    Args:
        size: features of a frame, kept.
        hidden: units.
    """

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Linear(size, 2 * hidden, bias=False)
        self.narrow = nn.Linear(hidden, size, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return (B, T, D)."""
        gate_BTH, value_BTH = self.widen(x_BTD).chunk(2, dim=-1)
        narrowed_BTD: Tensor = self.narrow(F.silu(gate_BTH) * value_BTH)
        return narrowed_BTD


class Layer(nn.Module):
    """x <- x + attention(norm(x)); x <- x + MLP(norm(x))."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.size)
        self.attention = RotaryAttention(config.size, config.heads)
        self.mlp_norm = nn.LayerNorm(config.size)
        self.mlp = GatedMLP(config.size, config.hidden)
        self.dropout = Dropout(config.dropout)
        with torch.no_grad():  # so that the sum of all layers starts as large as its first term
            for last in (self.attention.merge, self.mlp.narrow):
                last.weight *= (2 * config.num_layers) ** -0.5

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, T, D) in the dtype of `x`, float32 also under autocast."""
        x_BTD = x_BTD + self.dropout(self.attention(self.attention_norm(x_BTD), mask_BT))
        result_BTD: Tensor = x_BTD + self.dropout(self.mlp(self.mlp_norm(x_BTD)))
        return result_BTD


class Transformer(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embed = nn.Linear(sum(config.dims), config.size)
        self.embed_norm = nn.LayerNorm(config.size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.last_norm = nn.LayerNorm(config.size)
        self.pool = AttentionPool(config.size)
        self.dropout = Dropout(config.dropout)
        self.output = OutputLayer(config.size, config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        x_BTD = self.embed(frames_BTD)
        x_BTD = self.embed_norm(x_BTD.to(torch.promote_types(x_BTD.dtype, torch.float32)))
        for layer in self.layers:
            x_BTD = layer(x_BTD, mask_BT)
        pooled_BD = self.dropout(self.pool(self.last_norm(x_BTD), mask_BT))
        logits_BC: Tensor = self.output(pooled_BD)
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))


TINY = Config(num_classes=5, dims=(6, 2), num_layers=1, size=8, heads=2, hidden=8)
VARIANTS = {
    "transformer_4x512": Config(),
    "transformer_2x256": Config(num_layers=2, size=256, heads=4, hidden=672),
}
