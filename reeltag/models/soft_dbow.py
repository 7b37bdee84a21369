"""Soft-DBoW: a histogram of learned visual and audio words, plain or gated.

    frames -> norm -> soft bag of words per stream -> linear -> experts -> logits

The first stream has all words, the others an eighth of them. Of the gated kind is the first only.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from reeltag.layers.bag_of_frames import GatedBagOfWords, SoftBagOfWords
from reeltag.layers.gated_head import GateSource
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._fields import Penalty, Size
from reeltag.models._late_fusion import STREAMS, LateFusion, LateFusionConfig
from reeltag.models._tensorflow_sizes import Shapes

SOURCE = "Miech, Laptev, Sivic 2017, arXiv:1706.06905; Youtube-8M-WILLOW SoftDbofModelLF, Gated..."
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 80,
    "frames": {"how": "random", "num_frames": 300},
    "optim": {"learning_rate": 2e-4, "decay": 0.9, "decay_examples": 4_000_000},
}  # README of the authors' code


@dataclass(frozen=True, kw_only=True)
class Config(LateFusionConfig):
    """Soft-DBoW with the authors' sizes as defaults."""

    scope: ClassVar[str] = "DBOF"
    share: ClassVar[int] = 8
    num_clusters: Size = 8000
    """Words of the first stream; the others have an eighth."""
    pooling: Literal["soft", "gated"] = "soft"
    """soft: sums of the frames' words; gated: those of the first stream times a gate."""
    maximum: bool = False
    """Also the maximum over frames, in addition to the sum; only with soft pooling."""
    gate: bool = False
    """Context gate on the hidden units."""
    probability_gate: GateSource = "none"
    """Gate on the class probabilities, computed from them or from the experts' input."""
    l2: Penalty = 1e-8
    """Weight of the L2 penalty on the experts and their gates."""

    def check(self) -> None:
        super().check()
        fits = not (self.maximum and self.pooling == "gated")
        self.check_field("maximum", fits, "False with gated pooling")

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        words = sum(shapes.size(f"{stream}_{self.scope}/cluster_weights") for stream in STREAMS)
        return super().tensorflow_sizes(shapes) | {
            "pooling": "gated" if f"video_{self.scope}/dim_red" in shapes else "soft",
            "maximum": shapes.size("hidden1_weights", 0) == 2 * words > 0,
        }

    def build(self) -> "SoftDBoWModel":
        """Return the model with freshly drawn weights."""
        return SoftDBoWModel(self)


class SoftDBoWModel(LateFusion):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        pools = [
            SoftBagOfWords(dim, words, maximum=config.maximum)
            for dim, words in zip(config.dims, config.clusters(), strict=True)
        ]
        if config.pooling == "gated":
            pools[0] = GatedBagOfWords(config.dims[0], config.num_clusters)
        super().__init__(config, pools, shift=False)
        self.words = config.clusters()

    def _bags(self) -> list[SoftBagOfWords]:
        """Return the pooling layer of each stream."""
        return [pool for pool in self.pools if isinstance(pool, SoftBagOfWords)]

    def frame_terms(self, frames_BTD: Tensor) -> Tensor:
        """Return the masses of the words of each frame (B, T, S), stream after stream."""
        streams = self.input_norm(frames_BTD).split(self.dims, dim=-1)
        masses = [bag.words_of(x_BTD) for bag, x_BTD in zip(self._bags(), streams, strict=True)]
        return torch.cat(masses, dim=-1)

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the words of all frames together, (B, P), stream after stream."""
        streams = terms_BTS.split(self.words, dim=-1)
        found = [
            bag.pooled(x_BTK, mask_BT) for bag, x_BTK in zip(self._bags(), streams, strict=True)
        ]
        return torch.cat(found, dim=-1)

    def pooled_logits(self, pooled_BP: Tensor) -> Tensor:
        """Return logits (B, C)."""
        logits_BC: Tensor = self.head(pooled_BP)
        return logits_BC


TINY = Config(num_classes=5, dims=(6, 2), num_clusters=16, hidden=8)
VARIANTS = {
    "soft_dbow_k8000_h1024": Config(),
    "soft_dbow_k8000_h1024_maximum": Config(maximum=True),
    "soft_dbow_gated_k4096_h1024": Config(num_clusters=4096, pooling="gated", l2=1e-6),
    "soft_dbow_gated_k6144_h1536": Config(  # the other sizes of the gated one are Next top GB's
        num_clusters=6144, pooling="gated", hidden=1536, l2=1e-6
    ),
    "soft_dbow_gated_k3684_h920": Config(num_clusters=3684, pooling="gated", hidden=920, l2=1e-6),
    "soft_dbow_k1024_h512": Config(num_clusters=1024, hidden=512),
}
