"""Soft assignment of frames to clusters, behind a batch norm.

Shape letters: B videos, T frames (padded), G groups, K clusters, C = G * K score columns g * K + k.
"""

from torch import Tensor

from reeltag.layers.kernels.dispatch import faster
from reeltag.layers.kernels.soft_assign import SoftAssign
from reeltag.layers.kernels.soft_counts import SoftCounts
from reeltag.layers.norm import Statistics, row_statistics, standardised


def _of_batch(*arguments: object) -> bool:
    return arguments[-1] is None


@faster(cpu=SoftAssign.apply, cuda=SoftAssign.apply, when=_of_batch)
def soft_assign(
    scores_BTC: Tensor,
    attention_BTG: Tensor,
    counted_BT: Tensor,
    gamma_C: Tensor,
    beta_C: Tensor,
    eps: float,
    statistics: Statistics | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return softmax_K(batch_norm(scores)) * attention, its sums, and the statistics.

    Args:
        scores_BTC: floating point, finite everywhere; what comes out has its dtype.
        attention_BTG: float32 (float64 where the scores are), 0 in the padding.
        counted_BT: of that dtype, 1 for rows that enter the statistics, else 0.
        gamma_C: scale of the batch norm.
        beta_C: shift of the batch norm.
        eps: added to the variance.
        statistics: of the batch norm; None: those of the counted rows of this batch.

    Returns:
        weights (B, T, C) in the dtype of the scores; mass (B, G, K), their sum over frames;
        mean (C,) and biased variance (C,), both without gradient.
    """
    x_BTC = scores_BTC.to(counted_BT.dtype)
    if statistics is None:
        statistics = row_statistics(x_BTC.flatten(end_dim=1), counted_BT.flatten())
    z_BTC = standardised(x_BTC, statistics, gamma_C, beta_C, eps)
    a_BTGK = z_BTC.unflatten(-1, (attention_BTG.shape[-1], -1)).softmax(dim=-1)
    a_BTGK = a_BTGK * attention_BTG.unsqueeze(-1)
    mean_C, var_C = statistics
    weights_BTC = a_BTGK.flatten(start_dim=2).to(scores_BTC.dtype)
    return weights_BTC, a_BTGK.sum(dim=1), mean_C.detach(), var_C.detach()


@faster(cpu=SoftCounts.apply)
def soft_counts(
    scores_BTK: Tensor,
    counted_BT: Tensor,
    gamma_K: Tensor,
    beta_K: Tensor,
    eps: float,
    statistics: Statistics | None,
    maximum: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return sum and maximum over frames of softmax_K(batch_norm(scores)), and the statistics.

    Args:
        scores_BTK: as of `soft_assign`.
        counted_BT: as of `soft_assign`.
        gamma_K: as of `soft_assign`.
        beta_K: as of `soft_assign`.
        eps: as of `soft_assign`.
        statistics: as of `soft_assign`.
        maximum: compute the maximum; otherwise it is empty, (B, 0).

    Returns:
        sum (B, K), maximum (B, K) in the precision of the scores, of values in [0, 1];
        mean (K,) and biased variance (K,), both without gradient.
    """
    weights_BTK, mass_B1K, *statistics_K = soft_assign(
        scores_BTK, counted_BT.unsqueeze(-1), counted_BT, gamma_K, beta_K, eps, statistics
    )
    sum_BK = mass_B1K.squeeze(1)
    max_BK = weights_BTK.amax(dim=1).to(sum_BK.dtype) if maximum else sum_BK[:, :0]
    return sum_BK, max_BK, statistics_K[0], statistics_K[1]
