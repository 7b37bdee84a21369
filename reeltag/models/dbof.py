"""Deep bag of frames: each frame lights up words, a video has each word as its strongest frame.

    frames -> norm -> linear -> norm -> activation -> maximum or mean over frames
           -> linear -> norm -> activation -> mixture of experts -> logits

All streams side by side are one frame. The authors draw 30 frames at random with replacement;
which frames are seen is the loader's business here, and padding is masked.
"""

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from reeltag.layers.bag_of_frames import ACTIVATIONS, BagOfFrames
from reeltag.layers.gated_head import GatedMixture
from reeltag.layers.initialisers import normal_linear
from reeltag.layers.input_norm import InputNorm
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, Penalty, Size
from reeltag.models._tensorflow_sizes import WIDTH, Shapes, mixture_sizes

SOURCE = "google/youtube-8m, DbofModel; arXiv:1609.08675 sec. 4.1; base of Autohome 2019"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 1024,
    "frames": {"how": "random", "num_frames": 30},
    "optim": {"learning_rate": 0.01, "decay": 0.95, "decay_examples": 4_000_000},
}  # the starter code's train.py


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Deep bag of frames with the starter code's sizes as defaults."""

    num_clusters: Size = 8192
    """Words that a frame can light up."""
    hidden: Size = 1024
    """Units between pooling and experts."""
    activation: Literal["relu6", "sigmoid"] = "relu6"
    """Of words and hidden units; the starter code had relu6 until 2018, then sigmoid."""
    pooling: Literal["max", "mean"] = "max"
    """Over the frames of a video."""
    batch_norm: bool = True
    """Batch norm of frames, words and hidden units; without it, a bias on the latter two."""
    num_experts: Count = 2
    """Experts a class, without the dummy expert that always says no."""
    l2: Penalty = 1e-8
    """Weight of the L2 penalty on the experts and their gates."""

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        return mixture_sizes(shapes) | {
            "num_clusters": shapes.size("cluster_weights"),
            "hidden": shapes.size("hidden1_weights"),
            "batch_norm": "hidden1_biases" not in shapes,
            WIDTH: shapes.size("cluster_weights", 0),
        }

    def build(self) -> "DBoFModel":
        """Return the model with freshly drawn weights."""
        return DBoFModel(self)


class DBoFBody(nn.Module):
    """All but the classifier: what the module docstring draws up to the mixture of experts."""

    head: nn.Module
    """The classifier (B, hidden) -> (B, C), which whoever extends it makes."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        dim, normed = sum(config.dims), config.batch_norm
        self.input_norm = InputNorm(dim, shift=False) if normed else None
        self.pool = BagOfFrames(
            dim,
            config.num_clusters,
            activation=config.activation,
            pooling=config.pooling,
            batch_norm=normed,
        )
        self.hidden = normal_linear(
            config.num_clusters,
            config.hidden,
            std=config.num_clusters**-0.5,
            bias_std=-1.0 if normed else 0.01,
        )
        self.hidden_norm = MaskedBatchNorm(config.hidden) if normed else None
        self.activation = config.activation

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT, affine = resolve_mask(frames_BTD, mask_BT), None
        if self.input_norm is not None:
            frames_BTD = self.input_norm.standardise(frames_BTD, mask_BT)
            affine = self.input_norm.weight, self.input_norm.bias
        return self.pooled_logits(self.pool(frames_BTD, mask_BT, affine))

    def frame_terms(self, frames_BTD: Tensor) -> Tensor:
        """Return the words of each frame (B, T, K)."""
        if self.input_norm is not None:
            frames_BTD = self.input_norm(frames_BTD)
        return self.pool.words_of(frames_BTD)

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the words of all frames together, (B, K)."""
        return self.pool.pooled(terms_BTS, mask_BT)

    def pooled_logits(self, pooled_BP: Tensor) -> Tensor:
        """Return logits (B, C)."""
        hidden_BH: Tensor = self.hidden(pooled_BP)
        if self.hidden_norm is not None:
            hidden_BH = self.hidden_norm(hidden_BH)
        logits_BC: Tensor = self.head(ACTIVATIONS[self.activation](hidden_BH))
        return logits_BC


class DBoFModel(DBoFBody):
    """See the module docstring."""

    head: GatedMixture

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.head = GatedMixture(
            config.hidden, config.num_classes, config.num_experts, l2=config.l2
        )

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        names = {f"pool.{ours}": theirs for ours, theirs in self.pool.tensorflow_names().items()}
        names |= {f"head.{ours}": theirs for ours, theirs in self.head.tensorflow_names().items()}
        names["hidden.weight"] = "hidden1_weights"
        if self.hidden_norm is None:
            return names | {"hidden.bias": "hidden1_biases"}
        return names | {"hidden_norm": "hidden1_bn", "input_norm": "input_bn"}


TINY = Config(num_classes=5, dims=(6, 2), num_clusters=16, hidden=8)
VARIANTS = {
    "dbof_k8192_h1024": Config(),
    "dbof_k8192_h1024_sigmoid": Config(activation="sigmoid"),
    "dbof_k8192_h1024_mean": Config(pooling="mean"),
    "dbof_k2048_h512": Config(num_clusters=2048, hidden=512),
}
