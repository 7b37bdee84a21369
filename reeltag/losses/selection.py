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
    of a batch are ordered together. On a GPU nothing is waited for; cells that cost the same are
    chosen in any order.

    Args:
        logits_BC: of the model as it is.
        labels_BC: in [0, 1].
        weights_BC: of each label, >= 0; None = 1.
        present: share of the labels that are left out, in [0, 1].
        absent: >= 0; as many absent cells, measured in labels, are left out or corrected.
        correct: take these as present, in place of leaving them out.
    """
    logits_BC, labels_BC, weights_BC = check_terms(logits_BC, labels_BC, weights_BC)
    weights_BC = torch.ones_like(logits_BC) if weights_BC is None else weights_BC
    cost_BC = F.binary_cross_entropy_with_logits(logits_BC, labels_BC, reduction="none")
    is_label_BC = labels_BC >= 0.5
    counts_BC = weights_BC > 0
    labels = is_label_BC & counts_BC
    total = labels.sum()
    wrong_BC = _largest(cost_BC, labels, present * total)
    missing_BC = _largest(cost_BC, counts_BC & ~is_label_BC, absent * total)
    weights_BC = weights_BC.masked_fill(wrong_BC, 0)
    if correct:
        return labels_BC.masked_fill(missing_BC, 1), weights_BC
    return labels_BC, weights_BC.masked_fill(missing_BC, 0)


def _largest(cost_BC: Tensor, among_BC: Tensor, count: Tensor) -> Tensor:
    """Return (B, C) the cells that cost most among some, floor(count) of them at most.

    On a GPU all cells are ordered, for their number is not known here without a wait.
    """
    cost = cost_BC.masked_fill(~among_BC, -torch.inf).flatten()
    chosen = torch.zeros_like(among_BC).flatten()
    if cost.device.type == "cpu":
        chosen[cost.topk(min(int(count), cost.numel())).indices] = True
    else:
        ranks = torch.arange(cost.numel(), device=cost.device)
        chosen.scatter_(0, cost.argsort(descending=True), ranks < count.floor())
    return chosen.view_as(among_BC) & among_BC
