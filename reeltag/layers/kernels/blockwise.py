"""Elementwise work on scores of frames, a block of rows at a time, in buffers that stay.

A block stays in the cache from one operation to the next, and nothing is allocated on the way:
fresh memory costs more than any operation here. For CPUs.

Shape letters: B videos, T frames (padded), N = B * T, K channels, R rows of a block.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from reeltag.layers.ranks import over_ranks

VIDEOS = 4  # at a time, so that a frame stays in the cache from code to feature
CACHE = 2**19  # values at a time: two buffers of 2 MiB of float32; less, and Python takes longer
Statistics = tuple[Tensor, Tensor]  # mean (K,) and biased variance (K,)


def blocks(num_rows: int, num_channels: int) -> list[slice]:
    """Return the rows that are worked on together."""
    step = max(1, CACHE // max(1, num_channels))
    return [slice(start, min(start + step, num_rows)) for start in range(0, num_rows, step)]


def blocks_of_videos(scores_BTK: Tensor) -> list[tuple[int, slice]]:
    """Return the video and the frames of it that are worked on together."""
    num_videos, num_frames, num_channels = scores_BTK.shape
    parts = blocks(num_frames, num_channels)
    return [(video, rows) for video in range(num_videos) for rows in parts]


def buffers(rows_NK: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return two arrays (R, K) to work in, block by block of `rows_NK`."""
    num_rows, num_channels = rows_NK.shape
    size = min(num_rows, max(1, CACHE // max(1, num_channels)))
    both = torch.empty(2, size, num_channels, dtype=dtype)
    return both[0], both[1]


def row_statistics(scores_BTK: Tensor, counted_BT: Tensor) -> Statistics:
    """Return mean and biased variance (K,) of the counted rows of all ranks.

    Args:
        scores_BTK: floating point, finite everywhere.
        counted_BT: 1 for a row that counts, else 0, in the dtype of the outcome.
    """
    total, pilot_K = pilot(scores_BTK, counted_BT)
    sum_K, square_K = torch.zeros_like(pilot_K), torch.zeros_like(pilot_K)
    scores_NK, counted_N = scores_BTK.flatten(end_dim=1), counted_BT.flatten()
    work_RK, _ = buffers(scores_NK, counted_BT.dtype)
    for rows in blocks(*scores_NK.shape):
        x_RK = work_RK[: rows.stop - rows.start].copy_(scores_NK[rows]).sub_(pilot_K)
        sum_K.addmv_(x_RK.T, counted_N[rows])
        square_K.addmv_(x_RK.square_().T, counted_N[rows])
    return around(total, pilot_K, sum_K, square_K)


def pilot(scores_BTK: Tensor, counted_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Return the number of counted rows, and the mean (K,) of those of the first videos.

    Sums are taken around that mean, so that nothing cancels.
    """
    first_K = counted_BT[0] @ scores_BTK[0].to(counted_BT.dtype)
    first_K, first, total = over_ranks(first_K, counted_BT[0].sum(), counted_BT.sum())
    return total.clamp(min=1), first_K / first.clamp(min=1)


def around(total: Tensor, pilot_K: Tensor, sum_K: Tensor, square_K: Tensor) -> Statistics:
    """Return mean and biased variance (K,), given sums of x - pilot and of its square."""
    sum_K, square_K = over_ranks(sum_K, square_K)
    shift_K = sum_K / total
    return pilot_K + shift_K, (square_K / total - shift_K.square()).clamp(min=0)


def batch_terms(
    product_K: Tensor, level_K: Tensor, rstd_K: Tensor, counted_BT: Tensor, *, own: bool
) -> Statistics:
    """Return slope and level (K,) for `through_batch_norm_`.

    Args:
        product_K: sum over rows of grad * (scores - mean).
        level_K: sum over rows of grad.
        rstd_K: 1 / standard deviation.
        counted_BT: 1 for rows of which the statistics were taken.
        own: the statistics are those of the batch; else they were given, and both terms are 0.
    """
    if not own:
        return torch.zeros_like(product_K), torch.zeros_like(level_K)
    product_K, level_K, total = over_ranks(product_K, level_K, counted_BT.sum())
    total = total.clamp(min=1)
    return product_K * rstd_K.square() / total, level_K / total


def unit_variance(
    frames_BTD: Tensor,
    mask_BT: Tensor,
    eps: float,
    statistics: Statistics | None,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `layers.input_norm.unit_variance` returns; no gradient."""
    exact = torch.promote_types(frames_BTD.dtype, torch.float32)
    mean_D, var_D = statistics or row_statistics(frames_BTD, mask_BT.to(exact))
    scale_D = torch.rsqrt(var_D + eps)
    shift_D = -mean_D * scale_D
    out_BTD = torch.empty(frames_BTD.shape, dtype=dtype)
    frames_ND, out_ND = frames_BTD.flatten(end_dim=1), out_BTD.flatten(end_dim=1)
    work_RD, _ = buffers(frames_ND, scale_D.dtype)
    for rows in blocks(*frames_ND.shape):
        x_RD = work_RD[: rows.stop - rows.start].copy_(frames_ND[rows])
        out_ND[rows] = x_RD.mul_(scale_D).add_(shift_D)
    return out_BTD, mean_D, var_D


def through_batch_norm_(
    grad_BTK: Tensor,
    scores_BTK: Tensor,
    counted_BT: Tensor,
    scale_K: Tensor,
    mean_K: Tensor,
    slope_K: Tensor,
    level_K: Tensor,
) -> None:
    """Turn gradients of normalised scores, in place, into those of the scores.

        grad <- scale * (grad - counted * (level + slope * (scores - mean)))

    Args:
        grad_BTK: contiguous, 0 in the padding.
        scores_BTK: before the norm.
        counted_BT: 1 for rows of which the statistics were taken.
        scale_K: gamma / standard deviation.
        mean_K: of the counted rows.
        slope_K: sum over rows of grad * (scores - mean), over count and variance.
        level_K: mean over rows of grad.
    """
    level_K, slope_K = scale_K * (level_K - slope_K * mean_K), scale_K * slope_K
    grad_NK, scores_NK = grad_BTK.flatten(end_dim=1), scores_BTK.flatten(end_dim=1)
    counted_N1, padded = counted_BT.flatten().unsqueeze(-1), not bool(counted_BT.all())
    first_RK, second_RK = buffers(scores_NK, counted_BT.dtype)
    for rows in blocks(*scores_NK.shape):
        size = rows.stop - rows.start
        x_RK = first_RK[:size].copy_(scores_NK[rows]).mul_(slope_K).add_(level_K)
        if padded:
            x_RK.mul_(counted_N1[rows])
        d_RK = second_RK[:size].copy_(grad_NK[rows]).mul_(scale_K)
        grad_NK[rows] = d_RK.sub_(x_RK)


def prepared(
    frames_BTD: Tensor,
    mask_BT: Tensor,
    dtype: torch.dtype,
    features: Callable[[Tensor], Tensor],
    normalise: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Return what `layers.preprocessing.prepared` returns; no gradient."""
    out_BTD = torch.empty(frames_BTD.shape, dtype=dtype)
    for start in range(0, len(out_BTD), VIDEOS):
        part = slice(start, start + VIDEOS)
        out_BTD[part] = normalise(features(frames_BTD[part]), mask_BT[part])
    return out_BTD
