"""Ranking losses: what a video has should score above what videos have not.

A label of 0.5 or more is a positive, a smaller one a negative; what weighs 0 (unrated) is
neither. A pair weighs the product of its two weights.

Shape letters: B videos, C classes, P positives of the batch, K hardest negatives of the batch.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from reeltag.losses.checks import check_finite, check_terms

POSITIVE = 0.5  # the smallest label that is a positive
PAIRS = 2**22  # pairs compared at once: 16 MB a tensor in float32


def hinge_ranking_loss(
    logits_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None = None,
    *,
    margin: float = 1.0,
    hardest: int = 30,
) -> Tensor:
    """Return the loss (B,) of a batch's positives against its hardest negatives.

    A pair costs max(0, negative - positive + margin), taken of logits. The loss of a batch is the
    mean over the pairs that cost anything, of each positive of the batch with each of the batch's
    `hardest` * B negatives of the highest logits, whatever video they belong to. A video's value is
    B times the part that its positives have in that mean, so that `.mean()` is the loss of the
    batch; it depends on the other videos. Without positives, or without negatives, it is 0.

    Memory: 2**22 pairs at a time, which are compared again for the gradient.
    Source: the Samsung team of 2018 (slides; twoleggedeye/youtube8m), `hardest` = 30.

    Args:
        logits_BC: any float dtype; computed in float32 (float64 stays).
        labels_BC: in [0, 1]; positive from 0.5.
        weights_BC: how much each label counts, >= 0 (0 = unrated); None = all 1.
        margin: what a positive has to exceed a negative by, >= 0.
        hardest: negatives taken into account, per video of the batch, >= 1.

    Raises:
        ValueError: shapes differ, or a parameter is out of range.
    """
    check_finite("margin", margin)

    def cost(difference: Tensor) -> Tensor:
        return (difference + margin).clamp(min=0)

    return _against_hardest(cost, logits_BC, labels_BC, weights_BC, hardest)


def soft_ranking_loss(
    logits_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None = None,
    *,
    margin: float = 1.0,
    hardest: int = 30,
) -> Tensor:
    """Return the loss (B,): log(1 + exp(negative - positive + margin)), else `hinge_ranking_loss`.

    Samsung's soft ranking loss. Every pair costs something, so that the mean is that of all pairs
    but those whose cost underflows.
    """
    check_finite("margin", margin)

    def cost(difference: Tensor) -> Tensor:
        return F.softplus(difference + margin)

    return _against_hardest(cost, logits_BC, labels_BC, weights_BC, hardest)


def sigmoid_ranking_loss(
    logits_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None = None,
    *,
    hardest: int = 30,
) -> Tensor:
    """Return the loss (B,): log(1 + sigmoid(negative - positive)), else `hinge_ranking_loss`.

    A variant in Samsung's code: a pair costs at most log 2, and one that is hopelessly wrong moves
    nothing.
    """

    def cost(difference: Tensor) -> Tensor:
        return difference.sigmoid().log1p()

    return _against_hardest(cost, logits_BC, labels_BC, weights_BC, hardest)


def pairwise_loss(
    logits_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None = None,
    *,
    mean: bool = False,
) -> Tensor:
    """Return log(1 + sum over pairs of exp(negative - positive)) per video (B,), in nats.

    LSEP, log-sum-exp pairwise: the pairs are those of one video. The sum falls into the product of
    two, so that memory is linear in C. A video without positives, or without negatives, costs 0.

    Source: Li, Song, Luo, CVPR 2017, arXiv:1704.03135; `mean` is Samsung's variant.

    Args:
        logits_BC: any float dtype; computed in float32 (float64 stays).
        labels_BC: in [0, 1]; positive from 0.5.
        weights_BC: how much each label counts, >= 0 (0 = unrated); None = all 1.
        mean: take the mean over the pairs in place of their sum.

    Raises:
        ValueError: shapes differ.
    """
    logits_BC, labels_BC, weights_BC = check_terms(logits_BC, labels_BC, weights_BC)
    positive_BC, negative_BC = _sides(labels_BC, weights_BC)
    weights_BC = torch.ones_like(logits_BC) if weights_BC is None else weights_BC
    floor = torch.finfo(logits_BC.dtype).min / 4  # exp is 0, and sums of two stay finite

    def log_sum(terms_BC: Tensor, side_BC: Tensor) -> Tensor:
        log_weight_BC = torch.where(side_BC, weights_BC, 1.0).log()
        sum_B = (terms_BC + log_weight_BC).masked_fill(~side_BC, floor).logsumexp(dim=-1)
        if not mean:
            return sum_B
        total_B = torch.where(side_BC, weights_BC, 0.0).sum(dim=-1)
        return sum_B - torch.where(total_B > 0, total_B, 1.0).log()

    return F.softplus(log_sum(-logits_BC, positive_BC) + log_sum(logits_BC, negative_BC))


def _sides(labels_BC: Tensor, weights_BC: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return which entries are positives, and which are negatives, (B, C) bool each."""
    positive_BC, negative_BC = labels_BC >= POSITIVE, labels_BC < POSITIVE
    if weights_BC is None:
        return positive_BC, negative_BC
    return positive_BC & (weights_BC > 0), negative_BC & (weights_BC > 0)


def _against_hardest(
    cost: Callable[[Tensor], Tensor],
    logits_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None,
    hardest: int,
) -> Tensor:
    """Return (B,), see `hinge_ranking_loss`; `cost` is that of a negative minus a positive."""
    if hardest < 1:
        raise ValueError(f"hardest must be >= 1, got {hardest}")
    logits_BC, labels_BC, weights_BC = check_terms(logits_BC, labels_BC, weights_BC)
    positive_BC, negative_BC = _sides(labels_BC, weights_BC)
    weights_BC = torch.ones_like(logits_BC) if weights_BC is None else weights_BC
    negatives = logits_BC[negative_BC]
    negative_K, place_K = negatives.topk(min(hardest * len(logits_BC), len(negatives)))
    weight_K = weights_BC[negative_BC][place_K]
    positive_P, weight_P = logits_BC[positive_BC], weights_BC[positive_BC]

    def compared(positive_P: Tensor) -> tuple[Tensor, Tensor]:
        cost_PK = cost(negative_K - positive_P.unsqueeze(1))
        return (cost_PK * weight_K).sum(dim=1), ((cost_PK > 0) * weight_K).sum(dim=1)

    rows = max(1, PAIRS // max(1, len(negative_K)))
    parts = [
        checkpoint(compared, part_P, use_reentrant=False, preserve_rng_state=False)
        for part_P in positive_P.split(rows)
    ]
    cost_P, pairs_P = [torch.cat(values) * weight_P for values in zip(*parts, strict=True)]
    pairs = pairs_P.sum()
    cost_P = cost_P * len(logits_BC) / torch.where(pairs > 0, pairs, 1.0)
    video_P = positive_BC.nonzero()[:, 0]
    return logits_BC.new_zeros(len(logits_BC)).index_add(0, video_P, cost_P)
