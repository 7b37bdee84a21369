"""What every loss requires of its input, and the arithmetic it computes in.

Shape letters: B videos, C classes.
"""

import math

import torch
from torch import Tensor


def check_terms(
    logits_BC: Tensor, labels_BC: Tensor, weights_BC: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the three in float32 (float64 if the logits are).

    Args:
        logits_BC: scores.
        labels_BC: in [0, 1].
        weights_BC: of each term; None = 1.

    Raises:
        ValueError: shapes differ.
    """
    for name, other in (("labels", labels_BC), ("weights", weights_BC)):
        if other is not None and other.shape != logits_BC.shape:
            raise ValueError(f"logits {tuple(logits_BC.shape)}, {name} {tuple(other.shape)} differ")
    dtype = torch.promote_types(logits_BC.dtype, torch.float32)
    weights_BC = None if weights_BC is None else weights_BC.to(dtype)
    return logits_BC.to(dtype), labels_BC.to(dtype), weights_BC


def check_finite(name: str, value: float) -> None:
    """Raise ValueError unless `value` is >= 0 and finite."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be >= 0 and finite, got {value}")


def weighed_sum(cost_BC: Tensor, weights_BC: Tensor | None) -> Tensor:
    """Return (B,) the costs summed over classes, each times its weight."""
    return (cost_BC if weights_BC is None else cost_BC * weights_BC).sum(dim=-1)
