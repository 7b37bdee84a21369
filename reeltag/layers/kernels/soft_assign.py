"""Soft assignment of frames to clusters with batch norm, as one differentiable step.

It is the largest elementwise part of NeXtVLAD: autograd would keep five arrays of the size of the
scores and walk through memory about forty times; this keeps one, and takes a few videos at a time,
so that on a CPU everything else stays in the cache.

Shape letters: B videos, T frames (padded), G groups, K clusters, C = G * K score columns g * K + k.
"""

import torch
from torch import Tensor

from reeltag.layers.kernels.blockwise import around, pilot
from reeltag.layers.kernels.dispatch import Context
from reeltag.layers.ranks import over_ranks

CACHE = 2**18  # scores at a time on a CPU: 1 MiB of float32, about the second-level cache of a core


def _parts(scores_BTC: Tensor) -> list[slice]:
    """Return the videos that are worked on together."""
    num_videos = len(scores_BTC)
    step = num_videos
    if scores_BTC.device.type == "cpu":
        step = max(1, CACHE // max(1, scores_BTC[:1].numel()))
    return [slice(start, start + step) for start in range(0, num_videos, step)]


def _statistics(
    scores_BTC: Tensor, counted_BT: Tensor, parts: list[slice]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the count, mean and biased variance of the counted rows of all ranks."""
    total, pilot_C = pilot(scores_BTC, counted_BT)
    sum_C, square_C = torch.zeros_like(pilot_C), torch.zeros_like(pilot_C)
    for part in parts:
        x_NC = scores_BTC[part].flatten(end_dim=1) - pilot_C
        counted_N = counted_BT[part].flatten()
        sum_C += counted_N @ x_NC
        square_C += counted_N @ x_NC.square_()
    return total, *around(total, pilot_C, sum_C, square_C)


class SoftAssign(torch.autograd.Function):
    """`layers.assignment.soft_assign`, by the statistics of the batch."""

    @staticmethod
    def forward(
        ctx: Context,
        scores_BTC: Tensor,
        attention_BTG: Tensor,
        counted_BT: Tensor,
        gamma_C: Tensor,
        beta_C: Tensor,
        eps: float,
        statistics: None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        parts, groups = _parts(scores_BTC), attention_BTG.shape[-1]
        total, mean_C, var_C = _statistics(scores_BTC, counted_BT, parts)
        rstd_C = torch.rsqrt(var_C + eps)
        weights_BTC = torch.empty_like(scores_BTC)
        mass_BGK = mean_C.new_empty(len(scores_BTC), groups, scores_BTC.shape[-1] // groups)
        scale_C, shift_C = gamma_C * rstd_C, beta_C - mean_C * gamma_C * rstd_C
        for part in parts:
            z_btC = torch.mul(scores_BTC[part], scale_C).add_(shift_C)
            p_btGK = z_btC.unflatten(-1, (groups, -1)).softmax(dim=-1)
            p_btGK *= attention_BTG[part].unsqueeze(-1)
            torch.sum(p_btGK, dim=1, out=mass_BGK[part])
            weights_BTC[part] = p_btGK.flatten(start_dim=2)
        ctx.save_for_backward(
            scores_BTC, attention_BTG, counted_BT, gamma_C, beta_C, mean_C, rstd_C, total
        )
        ctx.mark_non_differentiable(mean_C, var_C)
        return weights_BTC, mass_BGK, mean_C, var_C

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scores_BTC, attention_BTG, counted_BT, gamma_C, beta_C, mean_C, rstd_C, total = (
            ctx.saved_tensors
        )
        weights_grad_BTC, mass_grad_BGK = gradients[:2]
        parts, groups = _parts(scores_BTC), attention_BTG.shape[-1]
        scale_C = gamma_C * rstd_C
        grad_BTC = torch.empty_like(scores_BTC)
        attention_grad_BTG = torch.empty_like(attention_BTG)
        ones_BT = torch.ones_like(counted_BT)
        sum_C, product_C = torch.zeros_like(mean_C), torch.zeros_like(mean_C)
        for part in parts:  # through attention, softmax; the sums that batch norm needs
            x_btC = scores_BTC[part] - mean_C
            z_btC = torch.addcmul(beta_C, x_btC, scale_C)
            p_btGK = z_btC.unflatten(-1, (groups, -1)).softmax(dim=-1)
            d_btGK = weights_grad_BTC[part].unflatten(-1, (groups, -1))
            d_btGK = torch.add(d_btGK, mass_grad_BGK[part].unsqueeze(1)).mul_(p_btGK)
            attention_grad_btG = d_btGK.sum(dim=-1)
            attention_grad_BTG[part] = attention_grad_btG
            d_btGK.addcmul_(p_btGK, attention_grad_btG.unsqueeze(-1), value=-1)
            d_NC = d_btGK.mul_(attention_BTG[part].unsqueeze(-1)).flatten(2).flatten(end_dim=1)
            grad_BTC[part] = d_NC.view_as(x_btC)
            ones_N = ones_BT[part].flatten()
            sum_C += ones_N @ d_NC
            product_C += ones_N @ d_NC.mul_(x_btC.flatten(end_dim=1))
        slope_C, level_C = over_ranks(product_C, sum_C)
        slope_C, level_C = slope_C * rstd_C.square() / total, level_C / total
        for part in parts:  # through batch norm
            x_btC = (scores_BTC[part] - mean_C).mul_(slope_C).add_(level_C)
            x_btC *= counted_BT[part].unsqueeze(-1)
            grad_BTC[part] = torch.sub(grad_BTC[part], x_btC).mul_(scale_C)
        return grad_BTC, attention_grad_BTG, None, product_C * rstd_C, sum_C, None, None
