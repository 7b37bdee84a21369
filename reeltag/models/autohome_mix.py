"""Autohome's mixture: three different NeXtVLAD models and a GRU with attention.

    frames -+-> NeXtVLAD, 112 clusters, gate / 16 -> logits -+
            +-> NeXtVLAD, 136 clusters, gate / 16 -> logits -+-> weighted sum -> logits
            +-> NeXtVLAD, 112 clusters, gate / 8  -> logits -+
            +-> GRU -> attention -> classifier    -> logits -+

The weights of the sum are trained: a gate that looks at the mean frame, or one number a member.
In training each member learns the labels by itself too.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from reeltag.layers.attention_gru import AttentionGRU
from reeltag.layers.bottleneck_classifier import BottleneckClassifier
from reeltag.layers.mixture_gate import InputMixture, ScalarMixture
from reeltag.models import nextvlad
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, DropoutRate, NotNegative, Penalty, Positive, Size, Sizes

SOURCE = "Autohome 2019 sec. 3.1 and table 1"
PREPROCESSING = nextvlad.PREPROCESSING
RECIPE = {
    "batch_size": 80,
    "optim": {"learning_rate": 2e-4},
    "members": {"weight": 0.0},
}  # the paper's pre-training; it names no distillation


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Three different NeXtVLAD models and an attention GRU, with the sizes of the paper."""

    num_clusters: Sizes = (112, 136, 112)
    """Clusters of the first stream in each NeXtVLAD model; the other streams have half as many."""
    reduction: tuple[Positive, ...] = (16, 16, 8)
    """The gate's bottleneck has `hidden` divided by this many units, in each NeXtVLAD model."""
    groups: Positive = 8
    """Groups that a widened frame is cut into; the other streams have half as many."""
    expansion: Positive = 2
    """How much wider a frame becomes."""
    hidden: Size = 2048
    """Units between pooling and head, in every member."""
    gru: bool = True
    """Have the attention GRU as a further member."""
    gru_hidden: Size = 512
    """Units of the GRU each way."""
    gru_layers: Count = 1
    """Layers of the GRU each way."""
    gru_both_ways: bool = True
    """Read the frames forwards and backwards, or forwards only."""
    gru_chunk: NotNegative = 0
    """Frames of a chunk: a GRU with attention reads each chunk, a second one the chunks. 0 = one
    reads the whole; 5 is a segment, for whole videos."""
    gru_reduction: Positive = 16
    """As `reduction`, in the classifier behind the GRU."""
    mixture: Literal["input", "scalars"] = "input"
    """What weighs the members: a gate that sees the mean frame, or one number each."""
    dropout: DropoutRate = 0.5
    """Share of the pooled values that are dropped in training."""
    l2: Penalty = 1e-5
    """Weight of the L2 penalty on the heads' weights and biases."""

    def check(self) -> None:
        count = len(self.num_clusters)
        allowed = f"{count} numbers, as many as num_clusters has"
        self.check_field("reduction", len(self.reduction) == count, allowed)
        divides = self.hidden % self.gru_reduction == 0
        self.check_field("gru_reduction", divides, "a divisor of hidden")
        self.nextvlads()

    def nextvlads(self) -> list[nextvlad.Config]:
        """Return the sizes of each NeXtVLAD model."""
        return [
            nextvlad.Config(
                num_classes=self.num_classes,
                dims=self.dims,
                num_clusters=num_clusters,
                groups=self.groups,
                expansion=self.expansion,
                hidden=self.hidden,
                reduction=reduction,
                dropout=self.dropout,
                l2=self.l2,
            )
            for num_clusters, reduction in zip(self.num_clusters, self.reduction, strict=True)
        ]

    def build(self) -> "AutohomeMixModel":
        """Return the model with freshly drawn weights."""
        return AutohomeMixModel(self)


class AutohomeMixModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims, dim = config.dims, sum(config.dims)
        self.nextvlads = nn.ModuleList(sizes.build() for sizes in config.nextvlads())
        self.gru, num_members = None, len(self.nextvlads)
        if config.gru:
            pool = AttentionGRU(
                dim,
                config.gru_hidden,
                config.gru_layers,
                both_ways=config.gru_both_ways,
                chunk=config.gru_chunk,
            )
            self.gru = pool
            num_members += 1
            self.gru_classifier = BottleneckClassifier(
                pool.output_size,
                config.num_classes,
                hidden=config.hidden,
                reduction=config.gru_reduction,
                dropout=config.dropout,
                l2=config.l2,
            )
        self.mixture: InputMixture | ScalarMixture
        if config.mixture == "input":
            self.mixture = InputMixture(dim, num_members)
        else:
            self.mixture = ScalarMixture(num_members)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        return self.members(frames_BTD, mask_BT)[0]

    def members(self, frames_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the mixture (B, C), and of each member (M, B, C), the GRU last."""
        streams = nextvlad.part_streams(frames_BTD, self.dims)
        logits = [branch.of_streams(streams, mask_BT) for branch in self.nextvlads]  # type: ignore[operator]
        if self.gru is not None:
            logits.append(self.gru_classifier(self.gru(frames_BTD, mask_BT)))
        logits_MBC = torch.stack(logits)
        return self.mixture(frames_BTD, mask_BT, logits_MBC), logits_MBC


TINY = Config(
    num_classes=5,
    dims=(6, 2),
    num_clusters=(4, 6),
    reduction=(2, 4),
    groups=2,
    hidden=8,
    gru_hidden=4,
    gru_both_ways=False,
    gru_reduction=2,
)
VARIANTS = {
    "autohome_mix_3_nextvlad_gru": Config(),
    "autohome_mix_3_nextvlad": Config(gru=False),
    "autohome_mix_3_same": Config(num_clusters=(112, 112, 112), reduction=(16, 16, 16), gru=False),
    "autohome_mix_gru_2x1024": Config(gru_hidden=1024, gru_layers=2, gru_both_ways=False),
    "autohome_mix_gru_chunks": Config(gru_chunk=5),
    "autohome_mix_scalars": Config(mixture="scalars"),
}
