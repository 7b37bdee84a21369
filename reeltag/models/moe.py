"""Mixture of experts on the mean frame.

    frames -> mean over real frames -> M logistic experts a class, softly gated
           -> gate on the probabilities (optional, WILLOW's) -> logits

Made for video-level features (one frame, the mean); on frames it takes the mean itself.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from reeltag.layers.gated_head import GatedMixture, GateSource
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, NotNegative, Penalty
from reeltag.models._tensorflow_sizes import WIDTH, Shapes, gated_mixture_sizes

SOURCE = "google/youtube-8m, MoeModel; arXiv:1609.08675 sec. 4.1; gates: WILLOW; 16: axon2018"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 1024,
    "optim": {"learning_rate": 0.01, "decay": 0.95, "decay_examples": 4_000_000},
}  # the starter code's train.py


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Mixture of logistic experts on the mean of the frames."""

    num_experts: Count = 2
    """Experts a class, without the dummy expert that always says no."""
    gate_rank: NotNegative = 0
    """Rank of the matrix that gates the experts; 0: full."""
    probability_gate: GateSource = "none"
    """Gate on the class probabilities, computed from them or from the experts' input."""
    remove_diagonal: bool = False
    """No class takes part in its own gate."""
    l2: Penalty = 1e-8
    """Weight of the L2 penalty on gates and experts."""

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        return gated_mixture_sizes(shapes) | {WIDTH: shapes.size("experts/weights", 0)}

    def build(self) -> "MixtureModel":
        """Return the model with freshly drawn weights."""
        return MixtureModel(self)


class MixtureModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head = GatedMixture(
            sum(config.dims),
            config.num_classes,
            config.num_experts,
            l2=config.l2,
            gate_rank=config.gate_rank,
            probability_gate=config.probability_gate,
            remove_diagonal=config.remove_diagonal,
        )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        logits_BC: Tensor = self.head(masked_mean(frames_BTD, mask_BT))
        return logits_BC

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        return {f"head.{ours}": theirs for ours, theirs in self.head.tensorflow_names().items()}


TINY = Config(num_classes=5, dims=(6, 2))
VARIANTS = {f"moe_{m}": Config(num_experts=m) for m in (2, 4, 16)}
