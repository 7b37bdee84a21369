"""Gated NetVLAD, the best single system of the first YouTube-8M challenge.

    frames -> norm -> NetVLAD per stream -> linear -> context gate -> experts -> gate -> logits

The first stream has all clusters, the others half of them. NetRVLAD has no centres; NetVLAGD has
gates in their place.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.vlad import Kind, NetVLAD
from reeltag.models._fields import Size
from reeltag.models._late_fusion import LateFusion, LateFusionConfig
from reeltag.models._tensorflow_sizes import Shapes

SOURCE = "Miech, Laptev, Sivic 2017, arXiv:1706.06905; Youtube-8M-WILLOW NetVLADModelLF"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 80,
    "frames": {"how": "random", "num_frames": 300},
    "optim": {"learning_rate": 2e-4, "decay": 0.8, "decay_examples": 4_000_000},
}  # README of the authors' code


@dataclass(frozen=True, kw_only=True)
class Config(LateFusionConfig):
    """Gated NetVLAD with the authors' sizes as defaults."""

    scope: ClassVar[str] = "VLAD"

    num_clusters: Size = 256
    """Clusters of the first stream; the others have half as many."""
    pooling: Kind = "vlad"
    """vlad: sums beyond centres; rvlad: plain sums; vlagd: sums, gated."""

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        video, pooling = f"video_{self.scope}", "rvlad"
        if f"{video}/gate_weights" in shapes:
            pooling = "vlagd"
        elif f"{video}/cluster_weights2" in shapes:
            pooling = "vlad"
        return super().tensorflow_sizes(shapes) | {"pooling": pooling}

    def build(self) -> "NetVLADModel":
        """Return the model with freshly drawn weights."""
        return NetVLADModel(self)


class NetVLADModel(LateFusion):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        pools = [
            NetVLAD(dim, count, config.pooling)
            for dim, count in zip(config.dims, config.clusters(), strict=True)
        ]
        super().__init__(config, pools)


TINY = Config(num_classes=5, dims=(6, 2), num_clusters=4, hidden=8)
VARIANTS = {
    "netvlad_k256_h1024": Config(),
    "netvlad_k256_h800": Config(hidden=800),
    "netvlad_k256_h1024_nodiag": Config(remove_diagonal=True),
    "netvlad_k64_h512": Config(num_clusters=64, hidden=512),
    "netvlad_k16_h256": Config(num_clusters=16, hidden=256, probability_gate="none"),
    "netvlad_rvlad_k256_h1024": Config(pooling="rvlad"),
    "netvlad_vlagd_k256_h1024": Config(pooling="vlagd"),
}
