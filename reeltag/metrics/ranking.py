"""Rankings and their average precision: what GAP, mAP and MAP@K have in common.

A *pair* is a score with the word whether it is a hit (a true label). A *list* is a sequence of
pairs, best first: one list for GAP, one per class for mAP and MAP@K. Equal scores keep their
order of arrival, everywhere: the earlier row first, within a row the lower column first. The
official scorers shuffle ties instead, so that their values depend on the version of NumPy.

Shape letters: B videos or segments, C classes, K kept columns, N pairs, H hits, L lists.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_ROWS = 1024  # that many rows with ties are corrected at a time: 8 bytes x rows x C of memory


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Pairs of L lists, list after list, each best first; and where among them the hits are.

    Attributes:
        order: the number of each pair as it was given to `rank_pairs`, in ranked order.
        places: place of each hit in `order`, rising.
        firsts: place of the first pair of that hit's list.
        lists: the list of each hit, in [0, L), never falling.
    """

    order: Tensor
    places: Tensor
    firsts: Tensor
    lists: Tensor

    def average_precision(self, num_positives_L: Tensor) -> Tensor:
        """Return the average precision of each list, (L,) float64, NaN where nothing is positive.

        AP = (1 / P) * sum over hits of (hits up to here) / (pairs up to here).

        Args:
            num_positives_L: P, all positives of each list, listed or not, (L,).
        """
        ranks_H = self.places - self.firsts + 1
        return average_precision_of_hits(ranks_H, self.lists, num_positives_L)


def rank_pairs(
    scores_N: Tensor,
    hits_N: Tensor,
    lists_N: Tensor | None = None,
    *,
    rated_N: Tensor | None = None,
    k: int | None = None,
) -> Ranking:
    """Return the ranking of N pairs by falling score.

    Args:
        scores_N: N scores, in order of arrival.
        hits_N: bool.
        lists_N: whole numbers, the list of each pair; None = one list.
        rated_N: bool; only rated pairs take a rank. None = all are.
        k: each list is cut to its k best *before* unrated pairs leave it; None = not cut.
    """
    order_N = _falling_order(scores_N)
    if lists_N is None:
        ranked_N = torch.zeros((), dtype=torch.long, device=order_N.device).expand(len(order_N))
    else:
        order_N = order_N[lists_N[order_N].sort(stable=True).indices]
        ranked_N = lists_N[order_N]
    if rated_N is not None or k is not None:
        kept_N = torch.ones_like(hits_N) if rated_N is None else rated_N[order_N]
        if k is not None:
            place_N = torch.arange(len(order_N), device=order_N.device)
            kept_N = kept_N & (place_N - torch.searchsorted(ranked_N, ranked_N) < k)
        order_N, ranked_N = order_N[kept_N], ranked_N[kept_N]
    places_H = hits_N.index_select(0, order_N).nonzero().squeeze(1)
    lists_H = ranked_N[places_H]
    firsts_H = torch.zeros_like(places_H)
    if lists_N is not None:
        firsts_H = torch.searchsorted(ranked_N, lists_H)
    return Ranking(order=order_N, places=places_H, firsts=firsts_H, lists=lists_H.long())


def average_precision(
    scores_N: Tensor,
    hits_N: Tensor,
    *,
    num_positives: float | None = None,
    top_n: int | None = None,
) -> float:
    """Return the average precision of one list; 0 where nothing is positive.

    Args:
        scores_N: N scores on any monotone scale.
        hits_N: bool, or labels of which any > 0 is a hit.
        num_positives: P, the divisor; by default the number of hits given.
        top_n: only the best n pairs count, and the divisor is min(P, n), as in the starter.

    Source: google/youtube-8m average_precision_calculator.py `ap_at_n`; ties as in this module.

    Raises:
        ValueError: `top_n` is not positive (the starter takes 0 and crashes later), or the
            shapes differ.
    """
    if top_n is not None and top_n < 1:
        raise ValueError(f"top_n must be positive, got {top_n}")
    if scores_N.shape != hits_N.shape:
        raise ValueError(f"scores {tuple(scores_N.shape)} and hits {tuple(hits_N.shape)} differ")
    positives = float((hits_N > 0).sum()) if num_positives is None else float(num_positives)
    if top_n is not None:
        scores_N, kept_N = best_columns(scores_N.unsqueeze(0), top_n)
        scores_N, hits_N = scores_N[0], hits_N[kept_N[0]]
        positives = min(positives, top_n)
    if not positives:
        return 0.0
    total = torch.tensor([positives], dtype=torch.double)
    return float(rank_pairs(scores_N, hits_N > 0).average_precision(total))


def average_precision_of_hits(ranks_H: Tensor, lists_H: Tensor, num_positives_L: Tensor) -> Tensor:
    """Return the average precision (L,) float64 of lists whose hits have the ranks 1, 2, ...

    Args:
        ranks_H: rank of each hit in its list, from 1, rising within a list.
        lists_H: the list of each hit, never falling.
        num_positives_L: all positives of each list, listed or not; 0 gives NaN.
    """
    number_H = torch.arange(1, len(lists_H) + 1, device=lists_H.device)
    seen_H = number_H - _first_of_run(lists_H, len(num_positives_L))
    return _mean_gain(seen_H.double() / ranks_H, lists_H, num_positives_L)


def rank_columns(
    scores_BC: Tensor, hits_BC: Tensor, rated_BC: Tensor | None = None, k: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return ranks_H and classes_H of all hits when each column is a list of B pairs.

    Args:
        scores_BC: (B, C); -inf means that the list of the class does not hold the row at all.
        hits_BC: (B, C) bool.
        rated_BC: (B, C) bool; only rated pairs take a rank. None = all are.
        k: the list is cut to its k best *before* unrated pairs leave it; None = not cut.
    """
    ranks, classes, width = [], [], max(1, 4_000_000 // max(1, len(scores_BC)))
    for first in range(0, scores_BC.shape[1], width):
        part = slice(first, first + width)
        scores_CB = scores_BC[:, part].t().contiguous()  # sorts twice as fast
        sorted_CB, order_CB = scores_CB.sort(dim=1, descending=True, stable=True)
        order_CB, listed_CB = order_CB[:, :k], sorted_CB[:, :k] > -torch.inf
        hits_CB = hits_BC[:, part].t().gather(1, order_CB) & listed_CB
        classes_H, places_H = hits_CB.nonzero(as_tuple=True)
        if rated_BC is None:
            ranks.append(places_H + 1)
        else:
            rated_CB = rated_BC[:, part].t().gather(1, order_CB)
            ranks.append(rated_CB.cumsum(1, dtype=torch.int32)[classes_H, places_H].long())
        classes.append(classes_H + first)
    return torch.cat(ranks), torch.cat(classes)


def best_columns(scores_BC: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the scores (B, K) and columns (B, K) of the k best of each row, K = min(k, C).

    Best first; of equal scores the lower column comes first, also at the cut, which
    `torch.topk` does not promise: rows with a tie are found by looking one place further, and
    only those are sorted.

    Args:
        scores_BC: on any scale.
        k: at least 1.

    Raises:
        ValueError: a score is NaN.
    """
    if k >= scores_BC.shape[1]:
        best_BK, columns_BK = scores_BC.sort(dim=1, descending=True, stable=True)
    else:
        more, columns = scores_BC.topk(k + 1, dim=1)
        best_BK, columns_BK = more[:, :k], columns[:, :k]
        tied_R = (more[:, 1:] == more[:, :-1]).any(dim=1).nonzero().squeeze(1)
        for rows_R in tied_R.split(_ROWS):
            columns_BK[rows_R] = _first_columns(scores_BC[rows_R], best_BK[rows_R, -1:], k)
    if best_BK[:, :1].isnan().any():  # NaN sorts before everything
        raise ValueError("a score is NaN: scores must be comparable")
    return best_BK, columns_BK


def _first_columns(scores_RC: Tensor, last_R1: Tensor, k: int) -> Tensor:
    """Return the k best columns, best first, where `last_R1` is the k-th best score of the row."""
    above_RC, equal_RC = scores_RC > last_R1, scores_RC == last_R1
    room_R1 = k - above_RC.sum(dim=1, keepdim=True)
    kept_RC = above_RC | (equal_RC & (equal_RC.cumsum(dim=1) <= room_R1))
    columns_RK = kept_RC.nonzero()[:, 1].view(len(scores_RC), k)
    order_RK = scores_RC.gather(1, columns_RK).sort(dim=1, descending=True, stable=True).indices
    return columns_RK.gather(1, order_RK)


def _falling_order(scores_N: Tensor) -> Tensor:
    """Return the order (N,) of falling scores; equal ones keep theirs.

    The bits of float32 scores are sorted as whole numbers that rise as the scores fall: on a CPU
    torch sorts those digit by digit, on all cores, several times as fast.
    """
    if scores_N.dtype != torch.float32:
        return scores_N.sort(descending=True, stable=True).indices
    bits_N = (scores_N + 0.0).view(torch.int32)  # -0.0 becomes 0.0, which it is equal to
    keys_N = torch.where(bits_N < 0, bits_N & 0x7FFFFFFF, ~bits_N)
    return keys_N.sort(stable=True).indices


def _first_of_run(lists_H: Tensor, num_lists: int) -> Tensor:
    """Return, for each hit, the number of the first hit of the same list."""
    lists_L = torch.arange(num_lists, device=lists_H.device)
    return torch.searchsorted(lists_H, lists_L)[lists_H]


def _mean_gain(gain_H: Tensor, lists_H: Tensor, num_positives_L: Tensor) -> Tensor:
    positives_L = num_positives_L.double()
    total_L = torch.zeros_like(positives_L).index_add_(0, lists_H, gain_H)
    return torch.where(positives_L > 0, total_L / positives_L, torch.nan)
