"""Samsung's six small nets A to F, each alone; together they feed `second_level`.

    mean over real frames -> dense layers (no bias, batch norm, bend) -> linear -> logits

A swish, B relu, E and F deep and relu, on all streams as one vector; C leaky and D swish, on each
stream alone. In the authors' graph a net ends in 1024 or 2048 units for the net on top; alone, as
here, it ends in one logit a class.
"""

from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import Tensor, nn

from reeltag.core.fields import ADDED
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.sub_nets import Activation, SubNet
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import DropoutRate, Positive, SearchKind, Sizes

SOURCE = "twoleggedeye/youtube8m tf_training/video_level_models.py"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 1024,
    "optim": {"learning_rate": 0.01, "decay": 0.95, "decay_examples": 4_000_000},
}  # the starter code's trainer, which the authors kept


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Net A."""

    hidden: Sizes = (1024, 1024)
    """Widths of the layers; of the first stream's, where the streams are apart."""
    other_hidden: Annotated[tuple[Positive, ...], SearchKind.SCALE] = ()
    """Widths of the layers of each other stream; empty: all streams are one vector."""
    activation: Activation = "swish"
    """Bend of every layer: swish, relu or leaky."""
    input_dropout: DropoutRate = field(default=0.0, metadata=ADDED)
    """Share of the input values that the net drops in training (the authors: 0)."""
    dropout: DropoutRate = field(default=0.0, metadata=ADDED)
    """Share of the values that each layer drops in training (the authors: 0)."""

    def net(self, num_outputs: int) -> SubNet:
        """Return the net with freshly drawn weights and so many outputs."""
        return SubNet(
            self.dims,
            num_outputs,
            hidden=self.hidden,
            other_hidden=self.other_hidden,
            activation=self.activation,
            input_dropout=self.input_dropout,
            dropout=self.dropout,
        )

    def build(self) -> "SubNetModel":
        """Return the model with freshly drawn weights."""
        return SubNetModel(self)


class SubNetModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.net = config.net(config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        logits_BC: Tensor = self.net(masked_mean(frames_BTD, mask_BT))
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))

    def class_weights(self) -> Tensor:
        """Return the weights of the output layer (C, H)."""
        return self.net.output.weight


TINY = Config(num_classes=5, dims=(6, 2), hidden=(16, 16), other_hidden=(8, 8))
VARIANTS = {
    "sub_net_a": Config(),
    "sub_net_b": Config(hidden=(1024,), activation="relu"),
    "sub_net_c": Config(hidden=(1024,), other_hidden=(256,), activation="leaky"),
    "sub_net_d": Config(hidden=(1024, 1024), other_hidden=(256, 256)),
    "sub_net_e": Config(hidden=(4096,) * 4, activation="relu"),
    "sub_net_f": Config(hidden=(2048,) * 5, activation="relu"),
}
