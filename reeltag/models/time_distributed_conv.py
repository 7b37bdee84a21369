"""Time distributed convolutions: each stream is convolved and pooled along time, then its maximum.

    frames -> per stream n x (convolution over 3 frames, channel dropout, norm, ReLU, max over 3)
           -> maximum over time -> streams side by side -> linear -> logits

A video ends as if frames of zeros followed, however long its batch is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import OutputLayer
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import EPS, MOMENTUM
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import DropoutRate, Sizes

SOURCE = "Samsung AI 2018, slides; twoleggedeye/youtube8m FrameConv"
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {
    "batch_size": 128,
    "optim": {"learning_rate": 1e-3, "schedule": "constant", "clip": "none"},
}  # within what their configuration files use; this model's own is not known
WIDTH = 3  # frames of a convolution, and of a maximum


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Convolutions over time with the authors' sizes as defaults."""

    channels: Sizes = (2048, 2048)
    """Channels of the first stream's blocks."""
    other_channels: Sizes = (512, 512)
    """Channels of the other streams' blocks."""
    dropout: DropoutRate = 0.1
    """Share of the channels that are dropped in training, for a whole video."""

    def build(self) -> "TimeDistributedConv":
        """Return the model with freshly drawn weights."""
        return TimeDistributedConv(self)


class ConvolutionBlock(nn.Module):
    """y[s] = max of u[3s], u[3s + 1], u[3s + 2];  u[t] = relu(norm(dropout(sum_k W_k x[t + k]))).

    With k = -1, 0, 1 and zeros before the first and after the last frame. The last maximum may be
    over one or two frames, so that no frame is lost and one frame is enough. Departures: the
    authors' ReLU was created, but never called; a bias before the batch norm is left out.

    Shape letters: I channels in, O channels out, W = 3 frames a window, S windows.

    Args:
        fan_in: I.
        fan_out: O.
        dropout: share of the channels that are dropped in training.
    """

    def __init__(self, fan_in: int, fan_out: int, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(fan_in, fan_out, WIDTH, padding=WIDTH // 2, bias=False)
        self.dropout = Dropout(dropout)
        self.norm = MaskedBatchNorm(fan_out, momentum=MOMENTUM, eps=EPS)

    def forward(self, x_BTI: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, S, O) in float32 (float64 stays), 0 in the padding, and its mask (B, S).

        Args:
            x_BTI: exactly 0 in the padding.
            mask_BT: bool, real frames first.
        """
        x_BTO = self.convolution(x_BTI.transpose(1, 2)).transpose(1, 2)
        x_BTO = x_BTO * self.dropout(torch.ones_like(x_BTO[:, :1]))
        x_BTO = F.relu(self.norm(x_BTO, mask_BT))
        x_BTO = x_BTO.masked_fill(~mask_BT.unsqueeze(-1), 0.0)  # the lowest that a ReLU gives
        return windowed_max(x_BTO, mask_BT)


def windowed_max(x_BTO: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maxima of three frames each (B, S, O), and which of them are real (B, S).

    S is up to two more than T / 3; the windows beyond the last frame are padding, 0. There are
    always two at least: torch.export makes a special case of a length of one.

    Args:
        x_BTO: >= 0, and 0 in the padding.
        mask_BT: bool, True for a real frame; real frames come first.
    """
    num_frames = x_BTO.shape[1]
    num_windows = num_frames // WIDTH + 2
    missing = num_windows * WIDTH - num_frames
    steps_SW = WIDTH * torch.arange(num_windows, device=x_BTO.device).unsqueeze(1)
    steps_SW = steps_SW + torch.arange(WIDTH, device=x_BTO.device)
    x_BSO = F.pad(x_BTO, (0, 0, 0, missing))[:, steps_SW].amax(dim=2)
    return x_BSO, F.pad(mask_BT, (0, missing))[:, ::WIDTH]


class TimeDistributedConv(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims = config.dims
        channels = [config.channels] + [config.other_channels] * (len(config.dims) - 1)
        self.towers = nn.ModuleList(
            _tower([dim, *sizes], config.dropout)
            for dim, sizes in zip(config.dims, channels, strict=True)
        )
        self.output = OutputLayer(sum(sizes[-1] for sizes in channels), config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        frames_BTD = frames_BTD.masked_fill(~mask_BT.unsqueeze(-1), 0.0)
        found = []
        for tower, x_BTD in zip(self.towers, frames_BTD.split(self.dims, dim=-1), strict=True):
            mask = mask_BT
            for block in tower.children():
                x_BTD, mask = block(x_BTD, mask)
            found.append(x_BTD.amax(dim=1))
        logits_BC: Tensor = self.output(torch.cat(found, dim=-1))
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))


def _tower(sizes: Sequence[int], dropout: float) -> nn.ModuleList:
    """Return the blocks of one stream."""
    return nn.ModuleList(
        ConvolutionBlock(fan_in, fan_out, dropout) for fan_in, fan_out in pairwise(sizes)
    )


TINY = Config(num_classes=5, dims=(6, 2), channels=(8, 8), other_channels=(4,))
VARIANTS = {"time_distributed_conv_2048_512": Config()}
