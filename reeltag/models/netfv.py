"""Gated NetFV: Fisher vectors whose mixture is learned with the classifier.

    frames -> norm -> NetFV per stream -> linear -> context gate -> experts -> gate -> logits

The first stream has all clusters, the others half of them.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from reeltag.layers.fisher import NetFV
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._fields import Size
from reeltag.models._late_fusion import LateFusion, LateFusionConfig
from reeltag.models._tensorflow_sizes import Shapes

SOURCE = "Miech, Laptev, Sivic 2017, arXiv:1706.06905; Youtube-8M-WILLOW NetFVModelLF"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 80,
    "frames": {"how": "random", "num_frames": 300},
    "optim": {"learning_rate": 2e-4, "decay": 0.8, "decay_examples": 4_000_000},
}  # README of the authors' code


@dataclass(frozen=True, kw_only=True)
class Config(LateFusionConfig):
    """Gated NetFV with the authors' sizes as defaults."""

    scope: ClassVar[str] = "FV"

    num_clusters: Size = 128
    """Clusters of the first stream; the others have half as many."""
    coupled: bool = False
    """The centres are 0.01 times the assignment weights, not parameters of their own."""

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        coupled = f"video_{self.scope}/cluster_weights2" not in shapes
        return super().tensorflow_sizes(shapes) | {"coupled": coupled}

    def build(self) -> "NetFVModel":
        """Return the model with freshly drawn weights."""
        return NetFVModel(self)


class NetFVModel(LateFusion):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        pools = [
            NetFV(dim, count, coupled=config.coupled)
            for dim, count in zip(config.dims, config.clusters(), strict=True)
        ]
        super().__init__(config, pools)


TINY = Config(num_classes=5, dims=(6, 2), num_clusters=4, hidden=8)
VARIANTS = {
    "netfv_k128_h1024": Config(),
    "netfv_k128_h1024_coupled": Config(coupled=True),
    "netfv_k96_h1540": Config(num_clusters=96, hidden=1540),  # Next top GB's
    "netfv_k32_h512": Config(num_clusters=32, hidden=512),
    "netfv_k16_h256": Config(num_clusters=16, hidden=256, probability_gate="none"),
}
