"""ResNetLike on the mean frame, Samsung's main model: 90 of them were their first level.

    mean over real frames -> streams -> a residual tower each -> concat -> residual blocks -> linear
                                                                       [-> gate] -> logits

Made for video-level features (one frame, the mean); on frames it takes the mean itself. A model of
one stream has that stream's tower only.
"""

from dataclasses import dataclass, field
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from reeltag.core.fields import ADDED
from reeltag.layers.feature_subset import FeatureSubset
from reeltag.layers.norm import row_statistics
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import ResNetLike
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import CountOrZero, DropoutRate, Part, Size

SOURCE = "Samsung 2018, slides; twoleggedeye/youtube8m video_level_nn_models/models.py"
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {
    "batch_size": 512,
    "optim": {
        "learning_rate": 5e-3,
        "schedule": "constant",
        "clip": "global",
        "clip_norm": 10.0,
    },
}  # 76 of the authors' 113 configs have this batch; they halve the rate where GAP does not rise


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """ResNetLike with the authors' sizes as defaults."""

    streams: tuple[int, ...] = ()
    """Streams that the model looks at, by number from 0; empty: all."""
    inner: Size = 2048
    """Units of each stream's tower and of the layer before the output."""
    parts: tuple[Annotated[float, Gt(0)], ...] = ()
    """How the streams looked at share the units of all towers; empty: equally."""
    stream_blocks: CountOrZero = 1
    """Residual blocks of each stream (the authors' A)."""
    concat_blocks: CountOrZero = 1
    """Residual blocks on all streams together (the authors' C)."""
    dropout: DropoutRate = 0.5
    """Share of the values that each block drops in training."""
    noise: Annotated[float, Ge(0)] = 0.0
    """Standard deviation of the noise on the input in training, in those of each value."""
    features: Part = field(default=1.0, metadata=ADDED)
    """Share of the input values that the model looks at, drawn once by `features_seed`; 1: all."""
    features_seed: int = field(default=0, metadata=ADDED)
    """Of that choice."""
    gate: bool = False
    """Multiply the logits by a sigmoid of a linear map of all logits."""

    def check(self) -> None:
        known = set(self.streams) <= set(range(len(self.dims)))
        distinct = len(set(self.streams)) == len(self.streams)
        there = f"distinct numbers of streams, 0 to {len(self.dims) - 1}, or none for all"
        self.check_field("streams", known and distinct, there)
        count = len(self.used())
        self.check_field("parts", len(self.parts) in (0, count), f"{count} numbers > 0, or none")
        enough = min(self.widths()) >= 1
        self.check_field("parts", enough, "parts that leave every stream units")

    def used(self) -> tuple[int, ...]:
        """Return the numbers of the streams that the model looks at."""
        return self.streams or tuple(range(len(self.dims)))

    def widths(self) -> list[int]:
        """Return the units of each tower."""
        parts = self.parts or (1.0,) * len(self.used())
        return [round(self.inner * len(parts) * part / sum(parts)) for part in parts]

    def build(self) -> "ResNetLikeModel":
        """Return the model with freshly drawn weights."""
        return ResNetLikeModel(self)


class ResNetLikeModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims, self.streams, self.noise = config.dims, config.used(), config.noise
        self.subset = FeatureSubset(sum(config.dims), config.features, config.features_seed)
        self.net = ResNetLike(
            [config.dims[number] for number in self.streams],
            config.num_classes,
            inner=config.inner,
            stream_blocks=config.stream_blocks,
            concat_blocks=config.concat_blocks,
            dropout=config.dropout,
            widths=config.widths(),
        )
        self.gate = nn.Linear(config.num_classes, config.num_classes) if config.gate else None

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        x_BD = self.subset(masked_mean(frames_BTD, mask_BT))
        if self.training and self.noise:
            _, var_D = row_statistics(x_BD.detach(), x_BD.new_ones(len(x_BD)))
            x_BD = x_BD + self.noise * var_D.sqrt() * torch.randn_like(x_BD)
        streams = x_BD.split(self.dims, dim=-1)
        logits_BC: Tensor = self.net([streams[number] for number in self.streams])
        if self.gate is not None:
            logits_BC = logits_BC * self.gate(logits_BC).sigmoid()
        return logits_BC


TINY = Config(num_classes=5, dims=(6, 2), inner=16)
VARIANTS = {
    "resnet_like": Config(),
    "resnet_like_1024": Config(inner=1024),
    "resnet_like_video": Config(streams=(0,)),
    "resnet_like_audio": Config(streams=(1,)),
    "resnet_like_noise": Config(noise=0.1),
    "resnet_like_gated": Config(gate=True),
    "resnet_like_student": Config(stream_blocks=4, concat_blocks=4, dropout=0.4),
    "resnet_like_student_p6": Config(stream_blocks=4, concat_blocks=4, dropout=0.6),
}
