"""What WILLOW's pooling families share: each stream is pooled alone, one gated classifier for all.

    frames -> norm -> pooling per stream -> linear -> context gate -> experts -> gate -> logits

The authors draw 300 frames at random with replacement; which frames are seen is the loader's
business here, and padding is masked. Not a family: netvlad, netfv and soft_dbow are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from reeltag.core.errors import ConfigError
from reeltag.layers.gated_head import GatedHead, GatedMixture, GateSource
from reeltag.layers.input_norm import InputNorm
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, NotNegative, Penalty, Size
from reeltag.models._tensorflow import FromTensorflow
from reeltag.models._tensorflow_sizes import Shapes, gated_mixture_sizes

STREAMS = ("video", "audio")  # the authors' names, in order


@dataclass(frozen=True, kw_only=True)
class LateFusionConfig(ModelConfig):
    """Streams pooled alone, and the gated classifier behind them.

    Attributes:
        share: how many clusters of the first stream make one of the others.
        scope: how the authors' checkpoint calls the pooling.
    """

    share: ClassVar[int] = 2
    scope: ClassVar[str]

    num_clusters: Size = 256
    """Clusters of the first stream."""
    hidden: Size = 1024
    """Units between pooling and experts."""
    relu: bool = False
    """Batch norm and ReLU6 after the hidden layer, instead of a bias and nothing."""
    gate: bool = True
    """Context gate on the hidden units."""
    num_experts: Count = 2
    """Experts a class, without the dummy expert that always says no."""
    gate_rank: NotNegative = 0
    """Rank of the matrix that gates the experts; 0: full."""
    probability_gate: GateSource = "probabilities"
    """Gate on the class probabilities, computed from them or from the experts' input."""
    remove_diagonal: bool = False
    """No unit and no class takes part in its own gate."""
    l2: Penalty = 1e-6
    """Weight of the L2 penalty on the experts and their gates."""

    def check(self) -> None:
        """Check that every stream gets clusters; raise ConfigError."""
        enough = len(self.dims) == 1 or self.num_clusters >= self.share
        self.check_field("num_clusters", enough, f">= {self.share} with several streams")

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        words = [f"{stream}_{self.scope}/cluster_weights" for stream in STREAMS]
        return gated_mixture_sizes(shapes) | {
            "dims": tuple(filter(None, (shapes.size(name, 0) for name in words))),
            "num_clusters": shapes.size(words[0]),
            "hidden": shapes.size("hidden1_weights"),
            "relu": "hidden1_bn/gamma" in shapes,
            "gate": "gating_weights_2" in shapes,
        }

    def clusters(self) -> list[int]:
        """Return the clusters of each stream."""
        others = [self.num_clusters // self.share] * (len(self.dims) - 1)
        return [self.num_clusters, *others]


class LateFusion(nn.Module):
    """See the module docstring.

    Args:
        config: sizes. The hidden weights start as N(0, 1 / sqrt(num_clusters)), not the fan-in:
            what each stream gives has norm 1.
        pools: one pooling layer per stream: (frames, mask, (scale, shift)) -> (B, output_size).
        shift: the shift of the frames' norm makes a difference to the pooling.
    """

    def __init__(
        self,
        config: LateFusionConfig,
        pools: Sequence[nn.Module],
        *,
        shift: bool = True,
    ) -> None:
        super().__init__()
        self.dims, self.scope = config.dims, config.scope
        self.input_norm = InputNorm(sum(config.dims), shift=shift)
        self.pools = nn.ModuleList(pools)
        experts = GatedMixture(
            config.hidden,
            config.num_classes,
            config.num_experts,
            l2=config.l2,
            gate_rank=config.gate_rank,
            probability_gate=config.probability_gate,
            remove_diagonal=config.remove_diagonal,
        )
        self.head = GatedHead(
            sum(pool.output_size for pool in pools),  # type: ignore[misc]
            config.hidden,
            experts,
            weight_std=config.num_clusters**-0.5,
            relu=config.relu,
            gate=config.gate,
            remove_diagonal=config.remove_diagonal,
        )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        streams = self.input_norm.standardise(frames_BTD, mask_BT).split(self.dims, dim=-1)
        affines = self.input_norm.affine(self.dims)
        pooled = [
            pool(x_BTD, mask_BT, affine)
            for pool, x_BTD, affine in zip(self.pools, streams, affines, strict=True)
        ]
        logits_BC: Tensor = self.head(torch.cat(pooled, dim=-1))
        return logits_BC

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        if len(self.pools) > len(STREAMS):
            raise ConfigError(f"the authors' models have two streams, not {len(self.pools)}")
        names = {"input_norm": "input_bn"}
        for index, pool in enumerate(self.pools):
            names |= _prefixed(pool, f"pools.{index}.", f"{STREAMS[index]}_{self.scope}/")
        return names | _prefixed(self.head, "head.", "")


def _prefixed(part: nn.Module, ours: str, theirs: str) -> dict[str, str]:
    """Return the TensorFlow names of a part, from outside it."""
    if not isinstance(part, FromTensorflow):
        raise ConfigError(f"no TensorFlow names are known for {type(part).__name__}")
    return {
        ours + name: theirs + name_there for name, name_there in part.tensorflow_names().items()
    }
