"""The golden layer files: which of them our modules answer, and how they are built and fed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltag.layers.experts import LogisticHead, MixtureOfExperts
from reeltag.layers.gating import ProbabilityGate
from reeltag.layers.nextvlad import NeXtVLAD
from reeltag.layers.vlad import NetVLAD
from reeltag.losses.cross_entropy import epsilon_cross_entropy
from reeltag.models import netvlad, nextvlad, penalty
from reeltag.models.tensorflow import load_tensorflow, parameter_names


@dataclass(frozen=True)
class Golden:
    """One file: arrays of the authors' own run, and what it was run with."""

    path: Path

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        with np.load(self.path) as file:
            return {name: file[name] for name in file.files}

    @cached_property
    def meta(self) -> dict[str, Any]:
        meta: dict[str, Any] = json.loads(str(self.arrays["meta"]))
        return meta

    def setting(self, name: str, default: Any = None) -> Any:
        return {**self.meta, **self.meta.get("kwargs", {}), **self.meta.get("flags", {})}.get(
            name, default
        )

    def group(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the arrays below `prefix.`, names without it and with slashes for dots."""
        return {
            name.removeprefix(prefix + ".").replace(".", "/"): array
            for name, array in self.arrays.items()
            if name.startswith(prefix + ".")
        }

    def inputs(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return frames (B, T, D) and mask (B, T) as the authors' model saw them."""
        frames = torch.from_numpy(self.arrays["in.x"]).to(dtype)
        if "in.frame_index" in self.arrays:
            index = torch.from_numpy(self.arrays["in.frame_index"]).long()
            frames = frames.gather(1, index.unsqueeze(-1).expand(-1, -1, frames.shape[-1]))
        if frames.ndim == 2:
            frames = frames.unflatten(0, (-1, self.setting("max_frames", 1)))
        lengths = torch.full((len(frames), 1), frames.shape[1])
        unmasked = "in.frame_index" in self.arrays or self.setting("segment_labels", False)
        if "in.num_frames" in self.arrays and not unmasked:
            lengths = torch.from_numpy(self.arrays["in.num_frames"]).unsqueeze(1)
        return frames, torch.arange(frames.shape[1]) < lengths

    def loss(self, logits: Tensor, model: nn.Module) -> Tensor:
        """Return the authors' training loss: label loss and penalties; cotangent for layers."""
        if "in.cotangent" in self.arrays:
            return (logits * torch.from_numpy(self.arrays["in.cotangent"])).sum()
        labels = torch.from_numpy(self.arrays["in.labels"])
        epsilon = 1e-8 if self.meta["repo"] == "linrongc/youtube-8m" else 1e-5
        label_loss = epsilon_cross_entropy(logits, labels, epsilon=epsilon).mean()
        return label_loss + penalty(model)

    def build(self, dtype: torch.dtype) -> nn.Module:
        """Return our module with the authors' weights, in training mode, with their dropout."""
        model = next(make for prefix, make in BUILDERS if self.path.stem.startswith(prefix))(self)
        load_tensorflow(model, self.group("var"))
        if "in.dropout_mask0" in self.arrays:
            mask = torch.from_numpy(self.arrays["in.dropout_mask0"])
            model.dropout = GivenDropout(mask, self.setting("drop_rate"))
        return model.to(dtype)

    def ours(self, model: nn.Module) -> dict[str, str]:
        """Return name of theirs -> name of ours."""
        return {theirs: ours for ours, theirs in parameter_names(model).items()}  # type: ignore[arg-type]


class GivenDropout(nn.Module):
    """Dropout with the mask that the authors' run drew."""

    def __init__(self, mask: Tensor, rate: float) -> None:
        super().__init__()
        self.mask, self.rate = mask, rate

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask / (1 - self.rate) if self.training else x


class VideoLevel(nn.Module):
    """A head, and a gate behind it, on one frame."""

    def __init__(self, head: nn.Module, gate: ProbabilityGate | None = None) -> None:
        super().__init__()
        self.head, self.gate = head, gate

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        x_BD = frames_BTD.squeeze(1)
        logits_BC: Tensor = self.head(x_BD)
        return logits_BC if self.gate is None else self.gate(logits_BC, x_BD)

    def tensorflow_names(self) -> dict[str, str]:
        if isinstance(self.head, LogisticHead):
            return {"head.linear": "fully_connected"}
        names = {"head.gates": "gates", "head.experts": "experts"}
        if self.gate is not None:
            names |= {
                "gate.linear.weight": "gating_prob_weights",
                "gate.norm": "gating_prob_bn",
            }
        return names


def sizes(golden: Golden) -> tuple[int, int]:
    return golden.arrays["in.x"].shape[-1], golden.arrays["in.labels"].shape[-1]


def l2(golden: Golden) -> float:
    value: float = golden.setting("l2_penalty", golden.setting("moe_l2", 1e-8))
    return value


def logistic_head(golden: Golden) -> nn.Module:
    on_bias = golden.meta["repo"].startswith("linrongc")
    return VideoLevel(LogisticHead(*sizes(golden), l2=l2(golden), l2_on_bias=on_bias))


def mixture(golden: Golden) -> nn.Module:
    experts = golden.setting("num_mixtures", golden.setting("moe_num_mixtures"))
    dim, num_classes = sizes(golden)
    gate = None
    if golden.setting("moe_prob_gating"):
        gate = ProbabilityGate(
            num_classes,
            dim if golden.setting("moe_prob_gating_input") == "input" else None,
            remove_diagonal=golden.setting("gating_remove_diag", False),
        )
    return VideoLevel(MixtureOfExperts(dim, num_classes, experts, l2=l2(golden)), gate)


def nextvlad_layer(golden: Golden) -> nn.Module:
    return NeXtVLAD(
        golden.setting("feature_size"),
        golden.setting("cluster_size"),
        golden.setting("groups"),
        expansion=golden.setting("expansion"),
        count_padding=True,
    )


def nextvlad_model(golden: Golden) -> nn.Module:
    moe = golden.setting("video_level_classifier_model") == "MoeModel"
    return nextvlad.Config(
        num_classes=sizes(golden)[1],
        dims=(golden.setting("video_dim"), golden.setting("audio_dim")),
        num_clusters=golden.setting("cluster_size"),
        groups=golden.setting("groups"),
        expansion=golden.setting("expansion"),
        hidden=golden.setting("hidden_size"),
        reduction=golden.setting("gating_reduction"),
        dropout=golden.setting("drop_rate"),
        head="moe" if moe else "logistic",
        num_experts=golden.setting("moe_num_mixtures", 4),
        l2=l2(golden),
        count_padding=True,
    ).build()


def netvlad_layer(golden: Golden) -> nn.Module:
    return NetVLAD(golden.setting("feature_size"), golden.setting("cluster_size"))


def netvlad_model(golden: Golden) -> nn.Module:
    return netvlad.Config(
        num_classes=sizes(golden)[1],
        dims=(golden.setting("video_dim"), golden.setting("audio_dim")),
        num_clusters=golden.setting("cluster_size"),
        hidden=golden.setting("hidden_size"),
        relu=golden.setting("netvlad_relu"),
        gate=golden.setting("gating", False),
        probability_gate="probabilities" if golden.setting("moe_prob_gating") else "none",
        l2=l2(golden),
    ).build()


BUILDERS: list[tuple[str, Callable[[Golden], nn.Module]]] = [
    ("google_logistic", logistic_head),
    ("google_moe", mixture),
    ("lin_logistic", logistic_head),
    ("lin_moe", mixture),
    ("willow_moe", mixture),
    ("lin_nextvlad", nextvlad_layer),
    ("lin_model_nextvlad", nextvlad_model),
    ("linv3_model_nextvlad", nextvlad_model),
    ("willow_netvlad", netvlad_layer),
    ("willow_model_netvlad", netvlad_model),
]
