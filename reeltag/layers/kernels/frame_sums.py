"""Sums of frames weighted by their assignment, with gradients in the cheapest order.

Shape letters: B videos, T frames (padded), D feature size, G groups, F group size, E = G * F,
K clusters, C = G * K weight columns g * K + k, N any rows.
"""

import torch
import torch.nn.functional as nnf
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context

TOGETHER = 16  # videos whose sums are held at a time in the backward pass


def expand_and_sum(
    frames_BTD: Tensor, expand_ED: Tensor, weights_BTC: Tensor, groups: int
) -> Tensor:
    """Return sum_tg weights[t, g, k] * (expand x[t])[g, f], (B, K, F), in the dtype of the weights.

    The gradient of `expand` is sum_t dwide[t] x[t] with dwide = weights dsum, or, the same terms
    added in another order, dsum times the sums of x[t] weighted. In multiply-adds a video and
    group that is T F (K + D) or K D (T + F); the smaller is taken, the second from about 200 frames
    on at the published size.

    Args:
        frames_BTD: floating point; under autocast in its dtype already.
        expand_ED: linear map, (E, D).
        weights_BTC: in the dtype of the frames.
        groups: G.
    """
    sum_BKF: Tensor = _ExpandAndSum.apply(frames_BTD, expand_ED, weights_BTC, groups)
    return sum_BKF


class WeightedSum(torch.autograd.Function):
    """`layers.aggregation.weighted_sum`, with gradients that are contiguous in memory.

    Autograd's own would be transposed, and copied before use.
    """

    @staticmethod
    def forward(ctx: Context, weights_BNK: Tensor, values_BNF: Tensor) -> Tensor:
        ctx.save_for_backward(weights_BNK, values_BNF)
        return weights_BNK.transpose(1, 2) @ values_BNF

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        weights_BNK, values_BNF = ctx.saved_tensors
        (sum_grad_BKF,) = gradients
        return values_BNF @ sum_grad_BKF.transpose(1, 2), weights_BNK @ sum_grad_BKF


class _ExpandAndSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Context, frames_BTD: Tensor, expand_ED: Tensor, weights_BTC: Tensor, groups: int
    ) -> Tensor:
        wide_BTE = nnf.linear(frames_BTD, expand_ED.to(frames_BTD.dtype))
        ctx.save_for_backward(frames_BTD, expand_ED, weights_BTC, wide_BTE)
        ctx.rest = groups
        sum_BKF: Tensor = _rows(weights_BTC, groups).transpose(1, 2) @ _rows(wide_BTE, groups)
        return sum_BKF

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        frames_BTD, expand_ED, weights_BTC, wide_BTE = ctx.saved_tensors
        groups: int = ctx.rest
        (sum_grad_BKF,) = gradients
        weights_grad = _rows(wide_BTE, groups) @ sum_grad_BKF.transpose(1, 2)
        num_frames, dim = frames_BTD.shape[1:]
        num_clusters, size = sum_grad_BKF.shape[1:]
        through_wide = num_frames * size * (num_clusters + dim)
        through_sums = num_clusters * dim * (num_frames + size)
        frames_grad_BTD = None
        if through_wide <= through_sums or ctx.needs_input_grad[0]:
            wide_grad_BTE = (_rows(weights_BTC, groups) @ sum_grad_BKF).view_as(wide_BTE)
            rows_NE = wide_grad_BTE.flatten(end_dim=1)
            expand_grad_ED = rows_NE.T @ frames_BTD.flatten(end_dim=1)
            if ctx.needs_input_grad[0]:
                frames_grad_BTD = wide_grad_BTE @ expand_ED.to(wide_grad_BTE.dtype)
        else:
            expand_grad_ED = _expand_gradient(frames_BTD, weights_BTC, sum_grad_BKF, groups)
        expand_grad_ED = expand_grad_ED.to(expand_ED.dtype)
        return frames_grad_BTD, expand_grad_ED, weights_grad.view_as(weights_BTC), None


def _rows(values_BTC: Tensor, groups: int) -> Tensor:
    """Return (B, T * G, C / G)."""
    return torch.flatten(values_BTC.unflatten(-1, (groups, -1)), 1, 2)


def _expand_gradient(
    frames_BTD: Tensor, weights_BTC: Tensor, sum_grad_BKF: Tensor, groups: int
) -> Tensor:
    """Return the gradient of the linear map (E, D) in float32, from weighted sums of frames."""
    dtype = torch.promote_types(frames_BTD.dtype, torch.float32)
    num_clusters, size = sum_grad_BKF.shape[1:]
    dim = frames_BTD.shape[-1]
    gradient_GFD = frames_BTD.new_zeros(groups, size, dim, dtype=dtype)
    for start in range(0, len(frames_BTD), TOGETHER):
        part = slice(start, start + TOGETHER)
        sums_bCD = weights_BTC[part].transpose(1, 2) @ frames_BTD[part]
        sums_GnD = sums_bCD.unflatten(1, (groups, num_clusters)).transpose(0, 1).flatten(1, 2)
        grad_Fn = sum_grad_BKF[part].flatten(end_dim=1).T
        gradient_GFD += grad_Fn @ sums_GnD
    return gradient_GFD.flatten(end_dim=1)
