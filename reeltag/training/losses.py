"""Which loss a model is trained with: the flags `--loss.*` of `reeltag train`; what an objective is.

This file imports nothing of `training/`, so that whatever wraps an objective can import it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.losses.cross_entropy import binary_cross_entropy

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""(logits (B, C), labels (B, C) in [0, 1], weights (B, C) or None) -> nats per video (B,)."""
Objective = Callable[[FrameBatch, nn.Module], tuple[Tensor, dict[str, Tensor]]]
"""(batch, model) -> loss of the batch, a scalar, and what is to be logged."""


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What a wrong answer costs."""

    name: Literal["cross-entropy"] = "cross-entropy"
    """cross-entropy: binary, summed over classes."""


def loss_of(config: LossConfig) -> Loss:
    """Return the loss that the flags ask for."""
    return binary_cross_entropy
