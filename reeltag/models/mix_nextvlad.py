"""MixNeXtVLAD: equal NeXtVLAD models, mixed by a gate that looks at the video.

    frames -+-> NeXtVLAD 1 -> logits -+
            +-> NeXtVLAD 2 -> logits -+-> weighted sum -> logits
            +-> NeXtVLAD 3 -> logits -+        ^
            +-> mean -> norm -> linear -> softmax

The members share no weights. In training each learns the labels by itself, and is drawn towards
the mixture (on-line distillation, `--members.weight`). Departures: docs/reference/departures.md.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from reeltag.layers.mixture_gate import InputMixture
from reeltag.models import nextvlad
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, DropoutRate, Penalty, Positive, Size
from reeltag.models._tensorflow_sizes import Shapes

SOURCE = "Lin, Xiao, Fan 2018, arXiv:1811.05014 sec. 3.4; linrongc/youtube-8m nextvlad.py"
PREPROCESSING = nextvlad.PREPROCESSING
RECIPE = {
    "batch_size": 160,
    "optim": {"learning_rate": 2e-4, "decay": 0.8, "decay_examples": 2_500_000},
    "members": {"temperature": 3.0, "weight": 9.0},
}  # the authors' final script; the paper gives a decay of 0.9


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """A mixture of equal NeXtVLAD models with the sizes of the authors' final system."""

    num_members: Count = 3
    """NeXtVLAD models in the mixture."""
    num_clusters: Size = 112
    """Clusters of the first stream; the others have half as many."""
    groups: Positive = 8
    """Groups that a widened frame is cut into; the other streams have half as many."""
    expansion: Positive = 2
    """How much wider a frame becomes."""
    hidden: Size = 2048
    """Units between pooling and head of a member."""
    reduction: Positive = 16
    """The gate's bottleneck has `hidden` divided by this many units."""
    dropout: DropoutRate = 0.5
    """Share of the pooled values that are dropped in training."""
    head: Literal["logistic", "moe"] = "logistic"
    """Classifier of a member: a logistic regression or a mixture of experts a class."""
    num_experts: Count = 4
    """Experts a class, with the moe head."""
    l2: Penalty = 1e-5
    """Weight of the L2 penalty on the heads' weights and biases."""
    count_padding: bool = False
    """Let padding into batch statistics and gate, as the authors' code does; for parity only."""

    def check(self) -> None:
        self.member()

    def member(self) -> nextvlad.Config:
        """Return the sizes of a member."""
        sizes = {name: value for name, value in vars(self).items() if name != "num_members"}
        return nextvlad.Config(**sizes)

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        sizes = nextvlad.nextvlad_sizes(shapes, "branch_0/", ("video_vlad", "audio_vlad"))
        return sizes | {"num_members": shapes.size("mix_weights/biases")}

    def build(self) -> "MixNeXtVLADModel":
        """Return the model with freshly drawn weights."""
        return MixNeXtVLADModel(self)


class MixNeXtVLADModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims = config.dims
        self.branches = nn.ModuleList(config.member().build() for _ in range(config.num_members))
        self.mixture = InputMixture(
            sum(config.dims), config.num_members, count_padding=config.count_padding
        )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        return self.members(frames_BTD, mask_BT)[0]

    def members(self, frames_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the mixture (B, C), and of each member (M, B, C)."""
        streams = nextvlad.part_streams(frames_BTD, self.dims)
        logits_MBC = torch.stack(
            [branch.of_streams(streams, mask_BT) for branch in self.branches]  # type: ignore[operator]
        )
        return self.mixture(frames_BTD, mask_BT, logits_MBC), logits_MBC

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        names = {"mixture.norm": "mix_weights_bn", "mixture.linear": "mix_weights"}
        for index, branch in enumerate(self.branches):
            for ours, theirs in branch.tensorflow_names().items():  # type: ignore[operator]
                theirs = theirs.replace("_VLAD/", "_vlad/")
                names[f"branches.{index}.{ours}"] = f"branch_{index}/{theirs}"
        return names


TINY = Config(
    num_classes=5,
    dims=(6, 2),
    num_members=2,
    num_clusters=4,
    groups=2,
    hidden=8,
    reduction=2,
)
VARIANTS = {"mix_nextvlad_3x_k112_r16": Config()}
