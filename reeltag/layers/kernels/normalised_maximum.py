"""Each word at its strongest frame, behind a batch norm: all that deep bags of frames need.

For the same reasons as `soft_counts`: of the scores' size only they and their gradient are ever
held. For CPUs.

Shape letters: B videos, T frames (padded), K words, R frames worked on together.
"""

import torch
from torch import Tensor

from reeltag.layers.kernels.blockwise import (
    Statistics,
    batch_terms,
    blocks_of_videos,
    buffers,
    row_statistics,
    through_batch_norm_,
)
from reeltag.layers.kernels.dispatch import Context


class NormalisedMaximum(torch.autograd.Function):
    """`layers.bag_of_frames.normalised_maximum`."""

    @staticmethod
    def forward(
        ctx: Context,
        scores_BTK: Tensor,
        counted_BT: Tensor,
        gamma_K: Tensor,
        beta_K: Tensor,
        eps: float,
        statistics: Statistics | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.rest = statistics is None
        mean_K, var_K = statistics or row_statistics(scores_BTK, counted_BT)
        rstd_K = torch.rsqrt(var_K + eps)
        scale_K, shift_K = gamma_K * rstd_K, beta_K - mean_K * gamma_K * rstd_K
        floor_BT = torch.where(counted_BT > 0, 0.0, -torch.inf).to(counted_BT.dtype)
        max_BK = floor_BT.new_full((len(scores_BTK), scores_BTK.shape[-1]), -torch.inf)
        padded = not bool(counted_BT.all())
        work_RK, _ = buffers(scores_BTK[0], counted_BT.dtype)
        for video, rows in blocks_of_videos(scores_BTK):
            z_RK = work_RK[: rows.stop - rows.start].copy_(scores_BTK[video, rows])
            z_RK.mul_(scale_K).add_(shift_K)
            if padded:
                z_RK += floor_BT[video, rows].unsqueeze(-1)
            torch.maximum(max_BK[video], z_RK.amax(dim=0), out=max_BK[video])
        ctx.save_for_backward(scores_BTK, counted_BT, mean_K, rstd_K, scale_K, shift_K, max_BK)
        ctx.mark_non_differentiable(mean_K, var_K)
        return max_BK, mean_K, var_K

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scores_BTK, counted_BT, mean_K, rstd_K, scale_K, shift_K, max_BK = ctx.saved_tensors
        real_B1 = (counted_BT > 0).any(dim=1, keepdim=True)
        max_grad_BK = gradients[0] * real_B1
        grad_BTK = torch.empty_like(scores_BTK, memory_format=torch.contiguous_format)
        ties_BK = torch.zeros_like(max_BK)
        product_K = torch.zeros_like(mean_K)
        first_RK, second_RK = buffers(scores_BTK[0], counted_BT.dtype)
        for video, rows in blocks_of_videos(scores_BTK):  # 1 where the maximum is
            size, counted_R = rows.stop - rows.start, counted_BT[video, rows]
            z_RK = first_RK[:size].copy_(scores_BTK[video, rows]).mul_(scale_K).add_(shift_K)
            hit_RK = second_RK[:size].copy_(z_RK == max_BK[video]).mul_(counted_R.unsqueeze(-1))
            grad_BTK[video, rows] = hit_RK
            ties_BK[video].addmv_(hit_RK.T, counted_R)
        share_BK = max_grad_BK / ties_BK.clamp(min=1)
        for video, rows in blocks_of_videos(scores_BTK):
            size, counted_R = rows.stop - rows.start, counted_BT[video, rows]
            d_RK = second_RK[:size].copy_(grad_BTK[video, rows]).mul_(share_BK[video])
            grad_BTK[video, rows] = d_RK
            x_RK = first_RK[:size].copy_(scores_BTK[video, rows]).sub_(mean_K)
            product_K.addmv_(d_RK.mul_(x_RK).T, counted_R)
        beta_grad_K = max_grad_BK.sum(dim=0)
        terms = batch_terms(product_K, beta_grad_K, rstd_K, counted_BT, own=ctx.rest)
        through_batch_norm_(grad_BTK, scores_BTK, counted_BT, scale_K, mean_K, *terms)
        return grad_BTK, None, product_K * rstd_K, beta_grad_K, None, None
