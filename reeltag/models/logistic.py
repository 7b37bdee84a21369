"""Logistic regression on the mean frame; the baseline.

    frames -> mean over real frames -> one logistic regression a class -> logits

With one frame this is the video-level model of the starter code, with more its frame-level one.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from reeltag.layers.experts import LogisticHead
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Penalty
from reeltag.models._tensorflow_sizes import WIDTH, Shapes

SOURCE = "google/youtube-8m, LogisticModel and FrameLevelLogisticModel; arXiv:1609.08675 sec. 4.1"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 1024,
    "optim": {"learning_rate": 0.01, "decay": 0.95, "decay_examples": 4_000_000},
}  # the starter code's train.py
TENSORFLOW = {"head.linear": "fully_connected"}


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Logistic regression on the mean of the frames."""

    l2: Penalty = 1e-8
    """Weight of the L2 penalty on the weights."""

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        weights = f"{TENSORFLOW['head.linear']}/weights"
        return {WIDTH: shapes.size(weights, 0), "num_classes": shapes.size(weights)}

    def build(self) -> "Logistic":
        """Return the model with freshly drawn weights."""
        return Logistic(self)


class Logistic(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head = LogisticHead(sum(config.dims), config.num_classes, l2=config.l2)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        logits_BC: Tensor = self.head(masked_mean(frames_BTD, mask_BT))
        return logits_BC

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        return TENSORFLOW


TINY = Config(num_classes=5, dims=(6, 2))
VARIANTS = {"logistic": Config()}
