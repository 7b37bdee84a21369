"""Weak negatives: what a whole video is not labelled with, its segments mostly lack.

Shape letters: B segments, C classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.losses.checks import checked, require_finite, weighed_sum
from reeltag.losses.cross_entropy import binary_cross_entropy


def weak_negative_loss(
    logits_BC: Tensor,
    ratings_BC: Tensor,
    weights_BC: Tensor,
    video_labels_BC: Tensor,
    *,
    alpha: float = 1.0,
    counted_C: Tensor | None = None,
) -> Tensor:
    """Return the loss (B,) in nats per segment.

        sum_{c rated} weight_c CE(p_c, y_c)  +  alpha / |N| * sum_{c in N, unrated} CE(p_c, 0)

    N: the counted classes that are no labels of the segment's video. A class of N that is rated
    keeps its rating alone (the source leaves it open). Without any N, or with alpha = 0, it is the
    masked cross-entropy. Training does the same by weights (`labels.weighting.weak_negatives`).

    Source: write-up of the 2nd place of 2019 (Kaggle discussion 112929), A = 1000 classes, alpha 1.

    Args:
        logits_BC: any float dtype; computed in float32 (float64 stays).
        ratings_BC: in [0, 1]; says nothing where the weight is 0.
        weights_BC: how much each rating counts, >= 0 (0 = nobody rated it).
        video_labels_BC: above 0 where the video has the label.
        alpha: how much the weak negatives count together, >= 0.
        counted_C: bool, the classes A that can be weak negatives; None = all.

    Raises:
        ValueError: shapes differ, or alpha is out of range.
    """
    require_finite("alpha", alpha)
    rated_B = binary_cross_entropy(logits_BC, ratings_BC, weights_BC)
    logits_BC, video_labels_BC, _ = checked(logits_BC, video_labels_BC, None)
    absent_BC = video_labels_BC == 0
    if counted_C is not None:
        if counted_C.shape != logits_BC.shape[-1:]:
            shapes = f"logits {tuple(logits_BC.shape)}, counted {tuple(counted_C.shape)}"
            raise ValueError(f"{shapes} differ: counted must be (C,)")
        absent_BC = absent_BC & counted_C
    count_B1 = absent_BC.sum(dim=-1, keepdim=True).clamp(min=1)
    faint_BC = torch.where(absent_BC & (weights_BC == 0), alpha / count_B1, 0.0)
    return rated_B + weighed_sum(F.softplus(logits_BC), faint_BC)
