"""Which labels not to believe: those that cost most, when a model has learned what most say.

A network learns what many videos agree on first, and single wrong labels later; until then the
wrong ones stand out by their loss. Shape letters: B videos, C classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.losses.checks import check_terms


@torch.no_grad()
def without_largest(
    logits_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None = None,
    *,
    present: float,
    absent: float,
    correct: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return labels and weights (B, C) in which those that cost most do not count.

        P         labels of the batch: cells of at least 0.5 with a weight > 0
        present   of them, the floor(present * P) of the largest cross-entropy weigh 0
        absent    of the other cells with a weight > 0, floor(absent * P) do, or become 1

    Source: small-loss selection, Han et al. 2018 (arXiv:1804.06872), and for labels that are
    missing Kim et al. 2022 (arXiv:2206.03740), "large loss rejection" and "correction", whose
    share is of all absent cells; ours is of the labels, so that it does not depend on C. The cells
    of a batch are ordered together. Waits for the device once.

    Args:
        logits_BC: of the model as it is.
        labels_BC: in [0, 1].
        weights_BC: of each label, >= 0; None = 1.
        present: share of the labels that are left out, in [0, 1].
        absent: >= 0; as many absent cells, measured in labels, are left out or corrected.
        correct: take these as present, in place of leaving them out.
    """
    logits_BC, labels_BC, weights_BC = check_terms(logits_BC, labels_BC, weights_BC)
    weights_BC = torch.ones_like(logits_BC) if weights_BC is None else weights_BC.clone()
    cost_BC = F.binary_cross_entropy_with_logits(logits_BC, labels_BC, reduction="none")
    is_label_BC = labels_BC >= 0.5
    counts_BC = weights_BC > 0
    labels = is_label_BC & counts_BC
    total = int(labels.sum())
    wrong = _largest(cost_BC, labels, int(present * total))
    missing = _largest(cost_BC, counts_BC & ~is_label_BC, int(absent * total))
    weights_BC.view(-1)[wrong] = 0
    if correct:
        labels_BC = labels_BC.clone()
        labels_BC.view(-1)[missing] = 1
    else:
        weights_BC.view(-1)[missing] = 0
    return labels_BC, weights_BC


def _largest(cost_BC: Tensor, among_BC: Tensor, count: int) -> Tensor:
    """Return the places of the cells that cost most among some, in the flattened batch."""
    cost = cost_BC.masked_fill(~among_BC, -torch.inf).flatten()
    values, places = cost.topk(min(count, cost.numel()))
    return places[values > -torch.inf]
