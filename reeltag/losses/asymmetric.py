"""Asymmetric loss: focus on rare positives, forget easy and mislabelled negatives.

Shape letters: B videos, C classes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.losses.checks import check_terms, weighed_sum


def asymmetric_loss(
    logits_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None = None,
    *,
    gamma_pos: float = 0.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
) -> Tensor:
    """Return the loss (B,) in nats per video, summed over classes.

    With p = sigmoid(logit) and q = max(p - margin, 0), one class costs

        -y (1 - p)^gamma_pos log p  -  (1 - y) q^gamma_neg log(1 - q).

    gamma_pos = gamma_neg = margin = 0 is binary cross-entropy. 1 - q is computed as (1 - p) +
    margin, so that nothing is lost where p is near 1.

    Source: Ridnik et al., ICCV 2021, arXiv:2009.14119, sec. 2.

    Args:
        logits_BC: any float dtype; computed in float32 (float64 stays).
        labels_BC: in [0, 1]; soft labels are weighed linearly (not in the paper).
        weights_BC: how much each class counts, >= 0 (0 = unrated); None = all 1.
        gamma_pos: focus on hard positives; 0, or >= 1.
        gamma_neg: focus on hard negatives; 0, or >= 1.
        margin: probability below which a negative costs nothing, in [0, 1).

    Raises:
        ValueError: shapes differ, or a parameter is out of range.
    """
    for name, gamma in (("gamma_pos", gamma_pos), ("gamma_neg", gamma_neg)):
        if gamma != 0 and not 1 <= gamma < math.inf:
            raise ValueError(f"{name} must be 0, or >= 1 and finite, got {gamma}")
    if not 0 <= margin < 1:
        raise ValueError(f"margin must be in [0, 1), got {margin}")
    logits_BC, labels_BC, weights_BC = check_terms(logits_BC, labels_BC, weights_BC)
    log_p_BC, log_not_p_BC = F.logsigmoid(logits_BC), F.logsigmoid(-logits_BC)
    q_BC = (logits_BC.sigmoid() - margin).clamp(min=0)
    log_not_q_BC = log_not_p_BC
    if margin:
        log_margin = log_not_p_BC.new_tensor(math.log(margin))
        log_not_q_BC = torch.logaddexp(log_not_p_BC, log_margin).clamp(max=0)
    positive_BC = labels_BC * (gamma_pos * log_not_p_BC).exp() * log_p_BC
    negative_BC = (1 - labels_BC) * q_BC**gamma_neg * log_not_q_BC
    return weighed_sum(-(positive_BC + negative_BC), weights_BC)
