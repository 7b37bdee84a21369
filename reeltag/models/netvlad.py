"""Gated NetVLAD, the best single system of the first YouTube-8M challenge.

    frames -> norm -> NetVLAD per stream -> linear -> context gate -> experts -> gate -> logits

The first stream has all clusters, the others half of them. The authors draw 300 frames at random
with replacement; which frames are seen is the loader's business here, and padding is masked.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.experts import MixtureOfExperts
from reeltag.layers.gating import ContextGate, ProbabilityGate
from reeltag.layers.initialisers import normal_linear
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.vlad import NetVLAD
from reeltag.models.checks import require, require_input, require_penalty, require_positive
from reeltag.models.tensorflow import stream_names

SOURCE = "Miech, Laptev, Sivic 2017, arXiv:1706.06905; Youtube-8M-WILLOW NetVLADModelLF"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 80,
    "frames": {"how": "random", "num_frames": 300},
    "optim": {"learning_rate": 2e-4, "decay": 0.8, "decay_examples": 4_000_000},
}  # README of the authors' code


@dataclass(frozen=True, kw_only=True)
class Config:
    """Gated NetVLAD with the authors' sizes as defaults."""

    num_classes: int = 3862
    """Number of classes."""
    dims: tuple[int, ...] = (1024, 128)
    """Width of each stream."""
    num_clusters: int = 256
    """Clusters of the first stream; the others have half as many."""
    hidden: int = 1024
    """Units between pooling and head."""
    relu: bool = False
    """Batch norm and ReLU6 after the hidden layer, instead of a bias and nothing."""
    gate: bool = True
    """Context gate on the hidden units."""
    num_experts: int = 2
    """Experts a class, without the dummy expert that always says no."""
    probability_gate: Literal["none", "probabilities", "input"] = "probabilities"
    """Gate on the class probabilities, computed from them or from the head's input."""
    remove_diagonal: bool = False
    """No unit and no class takes part in its own gate."""
    l2: float = 1e-6
    """Weight of the L2 penalty on the experts and their gates."""

    def __post_init__(self) -> None:
        """Check every field; raise ConfigError."""
        require_input(self.num_classes, self.dims)
        for field in ("num_clusters", "hidden", "num_experts"):
            require_positive(field, getattr(self, field))
        require_penalty("l2", self.l2)
        enough = len(self.dims) == 1 or self.num_clusters >= 2
        require(enough, "num_clusters", self.num_clusters, ">= 2 with several streams")

    def build(self) -> "NetVLADModel":
        """Return the model with freshly drawn weights."""
        return NetVLADModel(self)


class NetVLADModel(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims = config.dims
        clusters = [config.num_clusters] + [config.num_clusters // 2] * (len(config.dims) - 1)
        self.input_norm = MaskedBatchNorm(sum(config.dims))
        pools = list(map(NetVLAD, config.dims, clusters))
        size = sum(pool.output_size for pool in pools)
        self.pools = nn.ModuleList(pools)
        self.hidden = normal_linear(
            size,
            config.hidden,
            std=config.num_clusters**-0.5,  # not the fan-in: each stream has norm 1
            bias_std=-1.0 if config.relu else 0.01,
        )
        self.hidden_norm = MaskedBatchNorm(config.hidden) if config.relu else None
        diagonal = config.remove_diagonal
        self.gate = ContextGate(config.hidden, remove_diagonal=diagonal) if config.gate else None
        self.head = MixtureOfExperts(
            config.hidden, config.num_classes, config.num_experts, l2=config.l2
        )
        self.probability_gate = None
        if config.probability_gate != "none":
            self.probability_gate = ProbabilityGate(
                config.num_classes,
                config.hidden if config.probability_gate == "input" else None,
                remove_diagonal=diagonal,
            )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return logits (B, C)."""
        streams = self.input_norm(frames_BTD, mask_BT).split(self.dims, dim=-1)
        pooled = [pool(x_BTD, mask_BT) for pool, x_BTD in zip(self.pools, streams, strict=True)]
        hidden_BH: Tensor = self.hidden(torch.cat(pooled, dim=-1))
        if self.hidden_norm is not None:
            hidden_BH = F.relu6(self.hidden_norm(hidden_BH))
        if self.gate is not None:
            hidden_BH = self.gate(hidden_BH)
        logits_BC: Tensor = self.head(hidden_BH)
        if self.probability_gate is not None:
            logits_BC = self.probability_gate(logits_BC, hidden_BH)
        return logits_BC

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        names = stream_names(self.pools) | {
            "input_norm": "input_bn",
            "hidden.weight": "hidden1_weights",
            "head.gates": "gates",
            "head.experts": "experts",
        }
        if self.hidden_norm is None:
            names["hidden.bias"] = "hidden1_biases"
        else:
            names["hidden_norm"] = "hidden1_bn"
        if self.gate is not None:
            names |= {"gate.linear.weight": "gating_weights_2", "gate.norm": "gating_bn"}
        if self.probability_gate is not None:
            names |= {
                "probability_gate.linear.weight": "gating_prob_weights",
                "probability_gate.norm": "gating_prob_bn",
            }
        return names


TINY = Config(num_classes=5, dims=(6, 2), num_clusters=4, hidden=8)
VARIANTS = {
    "netvlad_k256_h1024": Config(),
    "netvlad_k256_h800": Config(hidden=800),
    "netvlad_k64_h512": Config(num_clusters=64, hidden=512),
    "netvlad_k16_h256": Config(num_clusters=16, hidden=256, probability_gate="none"),
}
