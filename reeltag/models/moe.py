"""Mixture of experts on the mean frame.

    frames -> mean over real frames -> M logistic experts a class, softly gated -> logits

Made for video-level features (one frame, the mean); on frames it takes the mean itself.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from reeltag.layers.experts import MixtureOfExperts
from reeltag.layers.pooling import masked_mean
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models.checks import require_input, require_penalty, require_positive

SOURCE = "google/youtube-8m, MoeModel; arXiv:1609.08675 sec. 4.1; 16 experts: papers/axon2018"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 1024,
    "optim": {"learning_rate": 0.01, "decay": 0.95, "decay_examples": 4_000_000},
}  # the starter code's train.py
TENSORFLOW = {"head.gates": "gates", "head.experts": "experts"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Mixture of logistic experts on the mean of the frames."""

    num_classes: int = 3862
    """Number of classes."""
    dims: tuple[int, ...] = (1024, 128)
    """Width of each stream."""
    num_experts: int = 2
    """Experts a class, without the dummy expert that always says no."""
    l2: float = 1e-8
    """Weight of the L2 penalty on gates and experts."""

    def __post_init__(self) -> None:
        """Check every field; raise ConfigError."""
        require_input(self.num_classes, self.dims)
        require_positive("num_experts", self.num_experts)
        require_penalty("l2", self.l2)

    def build(self) -> "MixtureModel":
        """Return the model with freshly drawn weights."""
        return MixtureModel(self)


class MixtureModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head = MixtureOfExperts(
            sum(config.dims), config.num_classes, config.num_experts, l2=config.l2
        )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return logits (B, C)."""
        logits_BC: Tensor = self.head(masked_mean(frames_BTD, mask_BT))
        return logits_BC

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        return TENSORFLOW


TINY = Config(num_classes=5, dims=(6, 2))
VARIANTS = {f"moe_{m}": Config(num_experts=m) for m in (2, 4, 16)}
