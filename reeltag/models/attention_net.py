"""AttentionNet: attention over time in several rounds, each round knowing what the others found.

    frames -> L x (linear on frame and pooled vectors so far, ReLU, attention over time -> vector)
           -> mean frame and the L vectors -> norm -> 2 hidden layers -> logits

The authors append each round's vector to every frame; here the linear layer is cut in two, one part
for the frames and one for the vectors, which is the same and needs no copies.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.frame_attention import AttentionPool
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import EPS, MOMENTUM
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, DropoutRate, Fraction, Size, Sizes

SOURCE = "Samsung AI 2018, slides; twoleggedeye/youtube8m AttentionModel1-5"
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {
    "batch_size": 128,
    "optim": {"learning_rate": 1e-3, "schedule": "constant", "clip": "none"},
}  # within what their configuration files use; this model's own is not known


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """AttentionNet, by default their second model."""

    num_rounds: Count = 3
    """Rounds of attention, L."""
    size: Size = 1024
    """Units of a round, and size of its vector."""
    hidden: Sizes = (4096, 4096)
    """Units of the hidden layers after the attention."""
    dropout: DropoutRate = 0.3
    """Share of the hidden units that are dropped in training."""
    round_dropouts: tuple[Fraction, ...] = ()
    """Share of each round's units that are dropped in training; empty for none."""
    norm: bool = True
    """Batch norm before the hidden layers."""

    def check(self) -> None:
        fits = len(self.round_dropouts) in (0, self.num_rounds)
        allowed = f"none, or {self.num_rounds} numbers in [0, 1)"
        self.check_field("round_dropouts", fits, allowed)

    def build(self) -> "AttentionNet":
        """Return the model with freshly drawn weights."""
        return AttentionNet(self)


class AttentionRound(nn.Module):
    """u[t] = relu(W [x[t], c] + b);  c' = sum_t softmax_t(w . u[t]) u[t].

    Shape letters: D frame size, P size of the context c, H units. Source:
    the authors' code; the softmax is over real frames only.

    Args:
        dim: D.
        context: P; 0 for none.
        size: H.
        dropout: share of u that is dropped in training.
    """

    def __init__(self, dim: int, context: int, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.sizes = [dim, context]
        self.linear = nn.Linear(dim + context, size)
        self.dropout = Dropout(dropout)
        self.pool = AttentionPool(size)

    def forward(self, frames_BTD: Tensor, context_BP: Tensor | None, mask_BT: Tensor) -> Tensor:
        """Return c', (B, H), float32 (float64 stays)."""
        weight_HD, weight_HP = self.linear.weight.split(self.sizes, dim=1)
        if context_BP is None:
            units_BTH = F.linear(frames_BTD, weight_HD, self.linear.bias)
        else:
            shift_BH = F.linear(context_BP, weight_HP, self.linear.bias)
            units_BTH = F.linear(frames_BTD, weight_HD) + shift_BH.unsqueeze(1)
        found_BH: Tensor = self.pool(self.dropout(F.relu(units_BTH)), mask_BT)
        return found_BH


class AttentionNet(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        dim, size = sum(config.dims), config.size
        shares = config.round_dropouts or (0.0,) * config.num_rounds
        self.rounds = nn.ModuleList(
            AttentionRound(dim, index * size, size, share) for index, share in enumerate(shares)
        )
        sizes = [dim + config.num_rounds * size, *config.hidden]
        self.norm: nn.Module = nn.Identity()
        if config.norm:
            self.norm = MaskedBatchNorm(sizes[0], momentum=MOMENTUM, eps=EPS)
        self.hidden = nn.ModuleList(
            nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)
        )
        self.dropout = Dropout(config.dropout)
        self.output = OutputLayer(sizes[-1], config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        found: list[Tensor] = []
        for attend in self.rounds:
            context_BP = torch.cat(found, dim=-1) if found else None
            found.append(attend(frames_BTD, context_BP, mask_BT))
        x_BH: Tensor = self.norm(torch.cat([masked_mean(frames_BTD, mask_BT), *found], dim=-1))
        for linear in self.hidden:
            x_BH = F.relu(self.dropout(linear(x_BH)))
        logits_BC: Tensor = self.output(x_BH)
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))


TINY = Config(num_classes=5, dims=(6, 2), num_rounds=2, size=8, hidden=(8,))
VARIANTS = {
    "attention_net_3x1024": Config(),
    "attention_net_3x1024_no_dropout": Config(dropout=0.0),
    "attention_net_5x512": Config(num_rounds=5, size=512),
    "attention_net_4x768": Config(num_rounds=4, size=768),
    "attention_net_4x768_no_norm": Config(
        num_rounds=4, size=768, norm=False, round_dropouts=(0.1, 0.2, 0.3, 0.4)
    ),
}
