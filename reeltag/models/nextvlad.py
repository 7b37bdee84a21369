"""NeXtVLAD: widened frames, grouped soft assignment, and a gated bottleneck.

    frames -> NeXtVLAD per stream -> dropout -> linear -> norm -> bottleneck gate -> head -> logits

The first stream has all clusters and groups, the others half of them. Departures from the paper
(with the authors' code, against the text) and from the code: docs/reference/departures.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from reeltag.layers.bottleneck_classifier import BottleneckClassifier
from reeltag.layers.experts import MixtureOfExperts
from reeltag.layers.nextvlad import NeXtVLAD
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Count, DropoutRate, Penalty, Positive, Size
from reeltag.models._tensorflow import STREAMS, stream_names
from reeltag.models._tensorflow_sizes import Shapes, mixture_sizes, ratio

SOURCE = "Lin, Xiao, Fan 2018, arXiv:1811.05014; linrongc/youtube-8m nextvlad.py"
PREPROCESSING = PreprocessingConfig(normalise="none", reverse_whitening=True)
RECIPE = {
    "batch_size": 160,
    "optim": {"learning_rate": 2e-4, "decay": 0.8, "decay_examples": 2_000_000},
}  # paper sec. 4.2; the authors' script


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """NeXtVLAD with the authors' sizes as defaults."""

    num_clusters: Size = 128
    """Clusters of the first stream; the others have half as many."""
    groups: Positive = 8
    """Groups that a widened frame is cut into; the other streams have half as many."""
    expansion: Positive = 2
    """How much wider a frame becomes."""
    hidden: Size = 2048
    """Units between pooling and head."""
    reduction: Positive = 8
    """The gate's bottleneck has `hidden` divided by this many units."""
    dropout: DropoutRate = 0.5
    """Share of the pooled values that are dropped in training."""
    head: Literal["logistic", "moe"] = "logistic"
    """Classifier: a logistic regression or a mixture of experts a class."""
    num_experts: Count = 4
    """Experts a class, with the moe head."""
    l2: Penalty = 1e-5
    """Weight of the L2 penalty on the head's weights and biases."""
    count_padding: bool = False
    """Let padding into the batch statistics, as the authors' code does; for parity only."""

    def check(self) -> None:
        divides = self.hidden % self.reduction == 0
        self.check_field("reduction", divides, "a divisor of hidden")
        for dim, clusters, groups in self.streams():
            whole = f"a number whose part of a stream (here {groups}) divides {self.expansion}"
            fits = groups >= 1 and self.expansion * dim % groups == 0
            self.check_field("groups", fits, f"{whole} * {dim}")
            self.check_field("num_clusters", clusters >= 1, ">= 2 with several streams")

    def streams(self) -> list[tuple[int, int, int]]:
        """Return (width, clusters, groups) of each stream."""
        first = [(self.dims[0], self.num_clusters, self.groups)]
        return first + [(dim, self.num_clusters // 2, self.groups // 2) for dim in self.dims[1:]]

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return what the arrays of the authors' checkpoint show."""
        return nextvlad_sizes(shapes)

    def build(self) -> "NeXtVLADModel":
        """Return the model with freshly drawn weights."""
        return NeXtVLADModel(self)


class NeXtVLADModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims = config.dims
        pools = [
            NeXtVLAD(*sizes, expansion=config.expansion, count_padding=config.count_padding)
            for sizes in config.streams()
        ]
        self.pools = nn.ModuleList(pools)
        self.classifier = BottleneckClassifier(
            sum(pool.output_size for pool in pools),
            config.num_classes,
            hidden=config.hidden,
            reduction=config.reduction,
            dropout=config.dropout,
            num_experts=config.num_experts if config.head == "moe" else 0,
            l2=config.l2,
        )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        return self.of_streams(part_streams(frames_BTD, self.dims), mask_BT)

    def of_streams(self, streams: Sequence[Tensor], mask_BT: Tensor) -> Tensor:
        """Return logits (B, C) of streams (B, T, D_s) that were taken apart already."""
        pooled = [pool(x_BTD, mask_BT) for pool, x_BTD in zip(self.pools, streams, strict=True)]
        logits_BC: Tensor = self.classifier(torch.cat(pooled, dim=-1))
        return logits_BC

    def frame_terms(self, frames_BTD: Tensor) -> Tensor:
        """Return the widened frames and their assignment (B, T, S), stream after stream."""
        streams = zip(self._layers(), part_streams(frames_BTD, self.dims), strict=True)
        return torch.cat([layer.frame_terms(x_BTD) for layer, x_BTD in streams], dim=-1)

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the normalised sums of all frames (B, P), stream after stream."""
        layers = self._layers()
        streams = terms_BTS.split([layer.term_size for layer in layers], dim=-1)
        pooled = [
            layer.pooled_terms(x_BTS, mask_BT) for layer, x_BTS in zip(layers, streams, strict=True)
        ]
        return torch.cat(pooled, dim=-1)

    def pooled_logits(self, pooled_BP: Tensor) -> Tensor:
        """Return logits (B, C)."""
        logits_BC: Tensor = self.classifier(pooled_BP)
        return logits_BC

    def _layers(self) -> list[NeXtVLAD]:
        """Return the pooling layer of each stream."""
        return [layer for layer in self.pools if isinstance(layer, NeXtVLAD)]

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        head = {"classifier.head.linear": "fully_connected"}
        if isinstance(self.classifier.head, MixtureOfExperts):
            head = {"classifier.head.gates": "gates", "classifier.head.experts": "experts"}
        return stream_names(self.pools) | {
            "classifier.hidden.weight": "hidden1_weights",
            "classifier.norm": "hidden1_bn",
            "classifier.gate.squeeze.weight": "gating_weights_1",
            "classifier.gate.norm": "gating_bn",
            "classifier.gate.excite.weight": "gating_weights_2",
            **head,
        }


def nextvlad_sizes(
    shapes: Shapes, scope: str = "", streams: Sequence[str] = STREAMS
) -> dict[str, Any]:
    """Return what the arrays of the authors' checkpoint show, below a scope."""
    wide = [f"{scope}{stream}/fully_connected/weights" for stream in streams]
    dims = [shapes.size(name, 0) for name in wide]
    hidden = shapes.size(f"{scope}hidden1_weights")
    if f"{scope}experts/weights" in shapes:
        head = mixture_sizes(shapes, scope) | {"head": "moe"}
    else:
        head = {"num_classes": shapes.size(f"{scope}fully_connected/biases"), "head": "logistic"}
    return head | {
        "dims": tuple(filter(None, dims)),
        "num_clusters": shapes.size(f"{scope}{streams[0]}/cluster_weights2"),
        "groups": shapes.size(f"{scope}{streams[0]}/fully_connected_1/biases"),
        "expansion": ratio(shapes.size(wide[0]), dims[0]),
        "hidden": hidden,
        "reduction": ratio(hidden, shapes.size(f"{scope}gating_weights_1")),
    }


def part_streams(frames_BTD: Tensor, dims: Sequence[int]) -> tuple[Tensor, ...]:
    """Return each stream (B, T, D_s); under autocast in its dtype, so that it is cast once."""
    device = frames_BTD.device.type
    if torch.is_autocast_enabled(device):
        frames_BTD = frames_BTD.to(torch.get_autocast_dtype(device))
    return tuple(frames_BTD.split(list(dims), dim=-1))


TINY = Config(num_classes=5, dims=(6, 2), num_clusters=4, groups=2, hidden=8, reduction=2)
VARIANTS = {
    "nextvlad_8g_k128": Config(),
    "nextvlad_8g_k112_r16": Config(num_clusters=112, reduction=16),
    "nextvlad_16g_k128": Config(groups=16),
    "nextvlad_32g_k128": Config(groups=32),
}
