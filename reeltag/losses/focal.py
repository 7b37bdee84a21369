"""Focal loss: the easy classes, nearly all of them, weigh less.

Shape letters: B videos, C classes.
"""

import torch.nn.functional as F
from torch import Tensor

from reeltag.losses.checks import check_finite, check_terms, weighed_sum


def focal_loss(
    logits_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None = None,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
) -> Tensor:
    """Return the loss (B,) in nats per video, summed over classes.

    With p = sigmoid(logit), one class costs

        -alpha y (1 - p)^gamma log p  -  (1 - alpha) (1 - y) p^gamma log(1 - p).

    gamma = 0 without alpha is binary cross-entropy. The powers are taken in log space: finite,
    gradient included, for every finite logit and every gamma.

    Source: Lin et al., ICCV 2017, arXiv:1708.02002, eq. 5.

    Args:
        logits_BC: any float dtype; computed in float32 (float64 stays).
        labels_BC: in [0, 1]; soft labels are weighed linearly (not in the paper).
        weights_BC: how much each class counts, >= 0 (0 = unrated); None = all 1.
        gamma: how little an easy class counts, >= 0.
        alpha: share of the positives, in [0, 1]; None leaves out both factors.

    Raises:
        ValueError: shapes differ, or a parameter is out of range.
    """
    check_finite("gamma", gamma)
    if alpha is not None and not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in [0, 1] or None, got {alpha}")
    logits_BC, labels_BC, weights_BC = check_terms(logits_BC, labels_BC, weights_BC)
    yes, no = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    log_p_BC, log_not_p_BC = F.logsigmoid(logits_BC), F.logsigmoid(-logits_BC)
    positive_BC = yes * labels_BC * (gamma * log_not_p_BC).exp() * log_p_BC
    negative_BC = no * (1 - labels_BC) * (gamma * log_p_BC).exp() * log_not_p_BC
    return weighed_sum(-(positive_BC + negative_BC), weights_BC)
