"""The starter code's other two losses; published of what the model calls predictions.

Shape letters: B videos, C classes.
"""

import torch
from torch import Tensor

from reeltag.losses.checks import check_finite, check_terms, weighed_sum


def hinge_loss(
    scores_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None = None,
    *,
    margin: float = 1.0,
) -> Tensor:
    """Return sum_c weight max(0, margin - s score), s = 2 y - 1, per video (B,).

    Published of probabilities, where a certain "no" (p = 0) costs `margin` all the same; of logits
    it is the hinge loss of a support vector machine. Source: google/youtube-8m losses.py,
    `HingeLoss`.

    Args:
        scores_BC: probabilities or logits, any float dtype; computed in float32 (float64 stays).
        labels_BC: in [0, 1]; 0.5 costs `margin` whatever the score.
        weights_BC: how much each class counts, >= 0 (0 = unrated); None = all 1.
        margin: what a score has to exceed to cost nothing, >= 0.

    Raises:
        ValueError: shapes differ, or the margin is out of range.
    """
    check_finite("margin", margin)
    scores_BC, labels_BC, weights_BC = check_terms(scores_BC, labels_BC, weights_BC)
    cost_BC = (margin - (2 * labels_BC - 1) * scores_BC).clamp(min=0)
    return weighed_sum(cost_BC, weights_BC)


def softmax_loss(scores_BC: Tensor, labels_BC: Tensor, weights_BC: Tensor | None = None) -> Tensor:
    """Return -sum_c q_c log softmax(scores)_c per video (B,) in nats, q = labels / their sum.

    With weights, q = weight * label / their sum, and the softmax runs over the classes with a
    weight above 0. A video without labels costs nothing. Source: google/youtube-8m losses.py,
    `SoftmaxLoss`.

    Args:
        scores_BC: any real numbers; computed in float32 (float64 stays).
        labels_BC: >= 0.
        weights_BC: how much each label counts, >= 0 (0 = unrated); None = all 1.

    Raises:
        ValueError: shapes differ.
    """
    scores_BC, labels_BC, weights_BC = check_terms(scores_BC, labels_BC, weights_BC)
    if weights_BC is not None:
        labels_BC = labels_BC * weights_BC
        scores_BC = scores_BC.masked_fill(weights_BC == 0, torch.finfo(scores_BC.dtype).min)
    share_BC = labels_BC / labels_BC.sum(dim=-1, keepdim=True).clamp(min=1e-7)
    log_BC = torch.log_softmax(scores_BC, dim=-1)
    return -(share_BC * torch.where(share_BC > 0, log_BC, 0.0)).sum(dim=-1)
