"""Binary cross-entropy, summed over classes: exact from logits, and as the authors wrote it.

Shape letters: B videos, C classes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.losses.checks import check_terms, weighed_sum


def binary_cross_entropy(
    logits_BC: Tensor, labels_BC: Tensor, weights_BC: Tensor | None = None
) -> Tensor:
    """Return the loss (B,) in nats per video, summed over classes.

    One class costs -weight * (y log p + (1 - y) log(1 - p)) with p = sigmoid(logit); finite for
    every finite logit.

    Args:
        logits_BC: any float dtype; computed in float32 (float64 stays).
        labels_BC: in [0, 1]; soft labels are weighed linearly.
        weights_BC: how much each label counts, >= 0 (0 = unrated); None = all 1.

    Raises:
        ValueError: shapes differ.
    """
    logits_BC, labels_BC, weights_BC = check_terms(logits_BC, labels_BC, weights_BC)
    loss_BC = F.binary_cross_entropy_with_logits(logits_BC, labels_BC, reduction="none")
    return weighed_sum(loss_BC, weights_BC)


def epsilon_cross_entropy(
    logits_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None = None,
    *,
    epsilon: float = 1e-5,
) -> Tensor:
    """Return the authors' loss (B,) in nats per video: epsilon is added inside both logarithms.

    One class costs -weight * (y log(p + epsilon) + (1 - y) log(1 - p + epsilon)). A class costs at
    most -log(epsilon) and its gradient vanishes where p saturates on the wrong side. For parity;
    `binary_cross_entropy` is what we train with. 1 - p is computed as sigmoid(-logit), so that
    epsilon = 1e-8 also works in float32 (the original gives NaN at p = 1).

    Source: google/youtube-8m losses.py (epsilon 1e-5); NeXtVLAD's authors use 1e-8.

    Args:
        logits_BC: any float dtype; computed in float32 (float64 stays).
        labels_BC: in [0, 1].
        weights_BC: how much each label counts, >= 0; None = all 1.
        epsilon: > 0 and finite.

    Raises:
        ValueError: shapes differ, or epsilon is out of range.
    """
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon must be > 0 and finite, got {epsilon}")
    logits_BC, labels_BC, weights_BC = check_terms(logits_BC, labels_BC, weights_BC)
    yes_BC = labels_BC * torch.log(logits_BC.sigmoid() + epsilon)
    no_BC = (1 - labels_BC) * torch.log((-logits_BC).sigmoid() + epsilon)
    loss_BC = -(yes_BC + no_BC)
    return weighed_sum(loss_BC, weights_BC)
