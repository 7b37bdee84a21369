"""The golden layer files: arrays of the authors' runs, and how our modules are fed with them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltag.losses.cross_entropy import epsilon_cross_entropy
from reeltag.models import penalty
from reeltag.models._tensorflow import load_tensorflow, parameter_names


@dataclass(frozen=True)
class Golden:
    """One file: arrays of the authors' own run, and what it was run with."""

    path: Path
    make: "Builder"

    @property
    def names(self) -> list[str]:
        """Return the names of the arrays, without reading them; none of an absent file."""
        if not self.path.exists():
            return []
        with np.load(self.path) as file:
            return list(file.files)

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
        loss = self.label_loss(logits) + penalty(model)
        return loss + model.more_loss(self) if isinstance(model, SaysMore) else loss

    def label_loss(self, logits: Tensor) -> Tensor:
        """Return the authors' cross-entropy of logits (B, C)."""
        labels = torch.from_numpy(self.arrays["in.labels"])
        epsilon = 1e-8 if self.meta["repo"] == "linrongc/youtube-8m" else 1e-5
        return epsilon_cross_entropy(logits, labels, epsilon=epsilon).mean()

    def build(self, dtype: torch.dtype) -> nn.Module:
        """Return our module with the authors' weights, in training mode, with their dropout."""
        model = self.make(self)
        load_tensorflow(model, self.group("var"))
        places = [m for m in model.modules() if isinstance(getattr(m, "dropout", None), nn.Dropout)]
        for number, place in enumerate(places):
            mask = torch.from_numpy(self.arrays[f"in.dropout_mask{number}"])
            place.dropout = GivenDropout(mask, self.setting("drop_rate"))
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


@runtime_checkable
class SaysMore(Protocol):
    """A module with outputs and losses besides its logits: those of its last call."""

    def more_outputs(self) -> dict[str, Tensor]:
        """Return name of theirs -> output."""

    def more_loss(self, golden: Golden) -> Tensor:
        """Return what is added to label loss and penalty."""


Builder = Callable[[Golden], nn.Module]


def sizes(golden: Golden) -> tuple[int, int]:
    return golden.arrays["in.x"].shape[-1], golden.arrays["in.labels"].shape[-1]


def l2(golden: Golden) -> float:
    value: float = golden.setting("l2_penalty", golden.setting("moe_l2", 1e-8))
    return value
