"""The starter code's other two losses, for parity; they take what the model calls predictions.

Shape letters: B videos, C classes.
"""

import torch
from torch import Tensor


def hinge_loss(probs_BC: Tensor, labels_BC: Tensor, *, margin: float = 1.0) -> Tensor:
    """Return sum_c max(0, margin - s p), s = 2 y - 1, per video (B,).

    Taken of probabilities, as published, so that a certain "no" (p = 0) costs `margin` all the
    same. Source: google/youtube-8m losses.py, `HingeLoss`.

    Args:
        probs_BC: in [0, 1].
        labels_BC: 0 or 1.
        margin: what a prediction has to exceed to cost nothing.
    """
    sign_BC = 2 * labels_BC.to(probs_BC.dtype) - 1
    return (margin - sign_BC * probs_BC).clamp(min=0).sum(dim=-1)


def softmax_loss(scores_BC: Tensor, labels_BC: Tensor) -> Tensor:
    """Return -sum_c q_c log softmax(scores)_c per video (B,) in nats, q = labels / their sum.

    A video without labels costs nothing. Source: google/youtube-8m losses.py, `SoftmaxLoss`.

    Args:
        scores_BC: any real numbers.
        labels_BC: >= 0.
    """
    labels_BC = labels_BC.to(scores_BC.dtype)
    share_BC = labels_BC / labels_BC.sum(dim=-1, keepdim=True).clamp(min=1e-7)
    return -(share_BC * torch.log_softmax(scores_BC, dim=-1)).sum(dim=-1)
