"""Non-local NetVLAD: gated NetVLAD whose clusters attend to one another.

    frames -> norm -> NetVLAD sums per stream -> attention over clusters -> L2 -> linear
           -> context gate -> experts -> gate -> logits

The first stream has all clusters, the others half of them. The authors draw 300 frames at random
with replacement; which frames are seen is the loader's business here, and padding is masked.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Gt

from reeltag.layers.non_local import NonLocalNetVLAD
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._fields import Count, Size
from reeltag.models._late_fusion import LateFusion, LateFusionConfig

SOURCE = "Tang et al. 2018, arXiv:1810.00207; 17Skye17/2nd-YouTube8M (YT8M-T, 6th in 2018)"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 80,
    "frames": {"how": "random", "num_frames": 300},
    "optim": {"learning_rate": 2e-4, "decay": 0.8, "decay_examples": 4_000_000},
}  # the names of their runs; the decay is WILLOW's, whose code theirs is built on


@dataclass(frozen=True, kw_only=True)
class Config(LateFusionConfig):
    """Gated NetVLAD with attention over the clusters, with the authors' sizes as defaults."""

    scope: ClassVar[str] = "VLAD"

    num_clusters: Size = 64
    """Clusters of the first stream; the others have half as many."""
    num_experts: Count = 8
    """Experts a class, without the dummy expert that always says no."""
    temperature: Annotated[float, Gt(0)] = 64.0
    """What the scores of the attention over clusters are divided by."""

    def build(self) -> "NonLocalNetVLADModel":
        """Return the model with freshly drawn weights."""
        return NonLocalNetVLADModel(self)


class NonLocalNetVLADModel(LateFusion):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        pools = [
            NonLocalNetVLAD(dim, count, config.temperature)
            for dim, count in zip(config.dims, config.clusters(), strict=True)
        ]
        super().__init__(config, pools)


TINY = Config(num_classes=5, dims=(6, 2), num_clusters=4, hidden=8, num_experts=2)
VARIANTS = {"non_local_netvlad_k64_h1024": Config()}
