"""ResNetLike over a few learned linear combinations of the frames, Samsung's best frame-level net.

    frames -> per stream: sum over positions of W[h, position] * frame + b[h], h = 1 .. H -> dropout
           -> H * D values of each stream -> ResNetLike -> logits

The weights of a position are common to all values of a stream. Position 1 is the first frame; a
shorter video counts 0 in the positions that it has not, a longer one is cut.

Shape letters: B videos, T frames (padded), D width of a stream, H combinations, P positions.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import ResNetLike
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, DropoutRate, Positive, Size
from reeltag.models.resnet_like import RECIPE as RECIPE

SOURCE = "twoleggedeye/youtube8m sequence_models/models.py, LinearCombinations"
PREPROCESSING = PreprocessingConfig(normalise="none")


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Three combinations of 303 positions."""

    combinations: Count = 3
    """Linear combinations of each stream; the authors have 1, 3 and 5."""
    positions: Positive = 303
    """Frames that have a weight; later ones are not looked at."""
    inner: Size = 2048
    """Units of ResNetLike's towers."""
    dropout: DropoutRate = 0.5
    """Share of the combinations, and of ResNetLike's values, that are dropped in training."""

    def build(self) -> "LinearCombinationsModel":
        """Return the model with freshly drawn weights."""
        return LinearCombinationsModel(self)


class LinearCombinations(nn.Module):
    """y[h, d] = b[h] + sum_t W[h, t] x[t, d] over the real frames among the first P.

    Args:
        positions: P.
        combinations: H.
    """

    def __init__(self, positions: int, combinations: int) -> None:
        super().__init__()
        self.linear = nn.Linear(positions, combinations)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, H * D), combination after combination."""
        length = frames_BTD.shape[1]
        weight_HT = F.pad(self.linear.weight, (0, length))[:, :length]  # 0 past the last position
        weight_BHT = weight_HT * mask_BT.unsqueeze(1)
        combined_BHD = weight_BHT @ frames_BTD.to(weight_BHT.dtype)
        return (combined_BHD + self.linear.bias.unsqueeze(-1)).flatten(start_dim=1)


class LinearCombinationsModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims = config.dims
        self.combine = nn.ModuleList(
            LinearCombinations(config.positions, config.combinations) for _ in config.dims
        )
        self.dropout = Dropout(config.dropout)
        self.net = ResNetLike(
            [config.combinations * dim for dim in config.dims],
            config.num_classes,
            inner=config.inner,
            dropout=config.dropout,
        )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        streams = zip(self.combine, frames_BTD.split(self.dims, dim=-1), strict=True)
        logits_BC: Tensor = self.net(
            [self.dropout(combine(x_BTD, mask_BT)) for combine, x_BTD in streams]
        )
        return logits_BC


TINY = Config(num_classes=5, dims=(6, 2), combinations=2, positions=8, inner=16)
VARIANTS = {f"linear_combinations_{h}": Config(combinations=h) for h in (1, 3, 5)}
