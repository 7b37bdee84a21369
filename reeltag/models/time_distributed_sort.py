"""Time distributed dense layers with sorting: each class's logits from lowest to highest frame.

    frames -> ResNetLike on every frame -> each class's logits sorted over time
           -> 303 positions from lowest to highest -> linear, ReLU, linear, same for every class

The authors pad all videos to 303 frames and sort padding too. Here the real frames' sorted logits
are stretched to 303 positions: position j of 0 .. 302 is at (n - 1) j / 302 among n of them,
in between by linear interpolation. With 303 frames that is what the authors do.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import ResNetLike
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import CountOrZero, DropoutRate, Size

SOURCE = "Samsung AI 2018, slides; twoleggedeye/youtube8m ResNetLikeSort"
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {
    "batch_size": 32,
    "optim": {"learning_rate": 1e-3, "schedule": "constant", "clip": "none"},
}  # not known of this model; a batch that fits into memory, see `SortedOverTime`


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Sorting over time with the authors' sizes as defaults."""

    inner: Size = 2048
    """Units of the ResNetLike that every frame goes through."""
    stream_blocks: CountOrZero = 1
    """Residual blocks of each stream."""
    concat_blocks: CountOrZero = 1
    """Residual blocks on all streams together."""
    positions: Annotated[int, Ge(2)] = 303
    """Places between the lowest and the highest logit that are looked at."""
    hidden: Size = 1000
    """Units between the positions and a class's logit."""
    dropout: DropoutRate = 0.5
    """Share of the ResNetLike's values that are dropped in training."""

    def build(self) -> "TimeDistributedSort":
        """Return the model with freshly drawn weights."""
        return TimeDistributedSort(self)


def interpolation(lengths_B: Tensor, num_frames: int, positions: int, dtype: torch.dtype) -> Tensor:
    """Return weights (B, P, T) that stretch the first n of T values to P positions.

    weights[j, t] = max(0, 1 - |(n - 1) j / (P - 1) - t|): each row sums to 1, and t >= n has 0.

    Args:
        lengths_B: n, at least 1 (0 is taken for 1).
        num_frames: T.
        positions: P, at least 2.
        dtype: of the weights.
    """
    device = lengths_B.device
    steps_BP = (lengths_B.clamp(min=1) - 1).unsqueeze(1) * torch.arange(positions, device=device)
    place_BP = steps_BP.to(dtype) / (positions - 1)
    distance_BPT = (place_BP.unsqueeze(-1) - torch.arange(num_frames, device=device)).abs()
    return (1 - distance_BPT).clamp(min=0)


class SortedOverTime(nn.Module):
    """y[c] = w . relu(W s[c] + b) + b0, s[c] the sorted x[:, c] at P positions.

    Interpolation is linear, so that it is applied to W, (P, T) a video, and never to the values.
    The authors' text has two linear layers in a row; the ReLU between them is ours, since without
    it they would be one.

    Shape letters: B videos, T frames (padded), C classes, P positions, H hidden units. 1000 hidden
    units of 3862 classes are 15 MB a video in float32; with all that the ResNetLike keeps of 300
    frames, training takes about 0.16 GB a video.

    Args:
        positions: P.
        hidden: H.
    """

    def __init__(self, positions: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(positions, hidden)
        self.outer = nn.Linear(hidden, 1)

    def forward(self, x_BTC: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, C), float32 (float64 stays).

        Args:
            x_BTC: finite also in the padding.
            mask_BT: bool, True for a real frame.
        """
        num_frames, lengths_B = x_BTC.shape[1], mask_BT.sum(dim=1)
        padding_BT1 = ~mask_BT.unsqueeze(-1)
        rising_BTC = x_BTC.masked_fill(padding_BT1, torch.inf).sort(dim=1).values
        beyond_BT = torch.arange(num_frames, device=x_BTC.device) >= lengths_B.unsqueeze(1)
        rising_BTC = rising_BTC.masked_fill(beyond_BT.unsqueeze(-1), 0.0)
        positions, dtype = self.inner.in_features, rising_BTC.dtype
        weight_BHT = self.inner.weight @ interpolation(lengths_B, num_frames, positions, dtype)
        hidden_BHC = F.relu(weight_BHT @ rising_BTC + self.inner.bias.unsqueeze(-1))
        logits_BC = (self.outer.weight @ hidden_BHC).squeeze(1) + self.outer.bias
        return logits_BC.to(x_BTC.dtype)


class TimeDistributedSort(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims = config.dims
        self.frame_net = ResNetLike(
            config.dims,
            config.num_classes,
            inner=config.inner,
            stream_blocks=config.stream_blocks,
            concat_blocks=config.concat_blocks,
            dropout=config.dropout,
        )
        self.pool = SortedOverTime(config.positions, config.hidden)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        frames_BTC = self.frame_net(frames_BTD.split(self.dims, dim=-1), mask_BT)
        return self.pooled_terms(frames_BTC, mask_BT)

    def frame_terms(self, frames_BTD: Tensor) -> Tensor:
        """Return the logits of each frame (B, T, C)."""
        logits_BTC: Tensor = self.frame_net(frames_BTD.split(self.dims, dim=-1))
        return logits_BTC

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the logits (B, C)."""
        logits_BC: Tensor = self.pool(terms_BTS, mask_BT)
        return logits_BC

    def pooled_logits(self, pooled_BP: Tensor) -> Tensor:
        """Return the logits as they are."""
        return pooled_BP


TINY = Config(num_classes=5, dims=(6, 2), inner=8, positions=7, hidden=8)
VARIANTS = {"time_distributed_sort_303": Config()}
