"""VLAD-BOW with a learned power: soft counts of learned words, and a ResNetLike on them.

    frames -> per stream: s = linear -> softmax(sign(s) |s|^p) -> sum over real frames -> dropout
           -> ResNetLike -> logits

The power p is one number for all streams, 3 at first. The authors' s^p is no number where s < 0 and
p is no integer; sign(s) |s|^p is the same at 3 and at every odd integer, and p stays in [1, 8].

Shape letters: B videos, T frames (padded), K words.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.kernels.dispatch import faster
from reeltag.layers.kernels.power_counts import LARGEST, SMALLEST, PowerCounts
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import ResNetLike
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import DropoutRate, Size
from reeltag.models.resnet_like import RECIPE as RECIPE

SOURCE = "twoleggedeye/youtube8m sequence_models/models.py, VLADBoW; slides, row 8"
PREPROCESSING = PreprocessingConfig(normalise="none")
LEAST_POWER, MOST_POWER = 1.0, 8.0


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """1000 words a stream."""

    num_words: Size = 1000
    """Words of each stream; the authors have 1000 and 4096."""
    power: Annotated[float, Ge(LEAST_POWER), Le(MOST_POWER)] = 3.0
    """The learned power at the start, from 1 to 8."""
    inner: Size = 1024
    """Units of ResNetLike's towers."""
    dropout: DropoutRate = 0.4
    """Share of the counts, and of ResNetLike's values, that are dropped in training."""

    def build(self) -> "VladBow":
        """Return the model with freshly drawn weights."""
        return VladBow(self)


class VladBow(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims = config.dims
        self.scores = nn.ModuleList(nn.Linear(dim, config.num_words) for dim in config.dims)
        self.power = nn.Parameter(torch.tensor(config.power))
        self.dropout = Dropout(config.dropout)
        self.net = ResNetLike(
            [config.num_words] * len(config.dims),
            config.num_classes,
            inner=config.inner,
            dropout=config.dropout,
        )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        power = self.power.clamp(LEAST_POWER, MOST_POWER)
        streams = zip(self.scores, frames_BTD.split(self.dims, dim=-1), strict=True)
        mask_BT = mask_BT.to(power.dtype)
        counts = [power_counts(linear(x_BTD), power, mask_BT) for linear, x_BTD in streams]
        logits_BC: Tensor = self.net([self.dropout(counts_BK) for counts_BK in counts])
        return logits_BC

    def frame_terms(self, frames_BTD: Tensor) -> Tensor:
        """Return the softmax over the words of each frame (B, T, S), stream after stream."""
        power = self.power.clamp(LEAST_POWER, MOST_POWER)
        streams = zip(self.scores, frames_BTD.split(self.dims, dim=-1), strict=True)
        words = [power_softmax(linear(x_BTD), power) for linear, x_BTD in streams]
        return torch.cat(words, dim=-1)

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the sums over frames (B, S)."""
        return (mask_BT.to(terms_BTS.dtype).unsqueeze(1) @ terms_BTS).squeeze(1)

    def pooled_logits(self, pooled_BP: Tensor) -> Tensor:
        """Return logits (B, C)."""
        logits_BC: Tensor = self.net(pooled_BP.chunk(len(self.dims), dim=-1))
        return logits_BC


@faster(cpu=PowerCounts.apply, cuda=PowerCounts.apply)
def power_counts(scores_BTK: Tensor, power: Tensor, mask_BT: Tensor) -> Tensor:
    """Return sum_t softmax_k(sign(s) |s|^power) over real frames, (B, K), in the power's dtype.

    |s| is taken as at least 1e-6 and at most 1e4.

    Args:
        scores_BTK: s, floating point, finite everywhere.
        power: scalar >= 1, float32 (float64 where the scores are).
        mask_BT: 1 for a real frame, else 0, in the same dtype.
    """
    return (mask_BT.unsqueeze(1) @ power_softmax(scores_BTK, power)).squeeze(1)


def power_softmax(scores_BTK: Tensor, power: Tensor) -> Tensor:
    """Return softmax_k(sign(s) |s|^power), (B, T, K), in the power's dtype; as `power_counts`."""
    scores_BTK = scores_BTK.to(power.dtype)
    log_BTK = scores_BTK.abs().clamp(SMALLEST, LARGEST).log()
    power_BTK = (log_BTK * power).exp()
    return torch.where(scores_BTK < 0, -power_BTK, power_BTK).softmax(dim=-1)


TINY = Config(num_classes=5, dims=(6, 2), num_words=8, inner=16)
VARIANTS = {f"vlad_bow_{k}": Config(num_words=k) for k in (1000, 4096)}
