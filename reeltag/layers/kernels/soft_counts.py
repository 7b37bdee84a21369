"""How much of a video falls to each of very many words: soft assignment, summed over frames.

As `soft_assign`, for thousands of words of which only the sums over frames are wanted. At the
published size of Soft-DBoW the scores are 192 million numbers a batch, so this goes block by block
(`blockwise`) and keeps scores and weights in the dtype of the scores, nothing else. For CPUs.

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


class SoftCounts(torch.autograd.Function):
    """`layers.assignment.soft_counts`."""

    @staticmethod
    def forward(
        ctx: Context,
        scores_BTK: Tensor,
        counted_BT: Tensor,
        gamma_K: Tensor,
        beta_K: Tensor,
        eps: float,
        statistics: Statistics | None,
        maximum: bool,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        ctx.rest = statistics is None
        mean_K, var_K = statistics or row_statistics(scores_BTK, counted_BT)
        rstd_K = torch.rsqrt(var_K + eps)
        scale_K, shift_K = gamma_K * rstd_K, beta_K - mean_K * gamma_K * rstd_K
        weights_BTK = torch.empty_like(scores_BTK)
        sum_BK = counted_BT.new_zeros(len(scores_BTK), scores_BTK.shape[-1])
        first_RK, second_RK = buffers(scores_BTK[0], counted_BT.dtype)
        for video, rows in blocks_of_videos(scores_BTK):
            size, counted_R = rows.stop - rows.start, counted_BT[video, rows]
            z_RK = first_RK[:size].copy_(scores_BTK[video, rows]).mul_(scale_K).add_(shift_K)
            p_RK = torch.softmax(z_RK, dim=-1, out=second_RK[:size])
            weights_BTK[video, rows] = p_RK.mul_(counted_R.unsqueeze(-1))
            sum_BK[video].addmv_(p_RK.T, counted_R)
        max_BK = weights_BTK.amax(dim=1).to(sum_BK.dtype) if maximum else sum_BK[:, :0].clone()
        ctx.save_for_backward(scores_BTK, counted_BT, gamma_K, mean_K, rstd_K, weights_BTK, max_BK)
        ctx.mark_non_differentiable(mean_K, var_K)
        return sum_BK, max_BK, mean_K, var_K

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scores_BTK, counted_BT, gamma_K, mean_K, rstd_K, weights_BTK, max_BK = ctx.saved_tensors
        sum_grad_BK, max_grad_BK = gradients[:2]
        shares_BK = None
        if max_BK.numel():  # frames that share the maximum share its gradient
            ties_BK = (weights_BTK == max_BK.to(weights_BTK.dtype).unsqueeze(1)).sum(dim=1)
            shares_BK = max_grad_BK / ties_BK
        grad_BTK = torch.empty_like(scores_BTK, memory_format=torch.contiguous_format)
        beta_grad_K, product_K = torch.zeros_like(mean_K), torch.zeros_like(mean_K)
        first_RK, second_RK = buffers(scores_BTK[0], counted_BT.dtype)
        for video, rows in blocks_of_videos(scores_BTK):  # softmax; the sums batch norm needs
            size, counted_R = rows.stop - rows.start, counted_BT[video, rows]
            p_RK, d_RK = first_RK[:size].copy_(weights_BTK[video, rows]), second_RK[:size]
            if shares_BK is None:
                mean_R1 = torch.mv(p_RK, sum_grad_BK[video]).unsqueeze(-1)
                torch.sub(sum_grad_BK[video], mean_R1, out=d_RK)
            else:
                d_RK.copy_(p_RK == max_BK[video]).mul_(shares_BK[video]).add_(sum_grad_BK[video])
                d_RK.sub_((d_RK * p_RK).sum(dim=-1, keepdim=True))
            grad_BTK[video, rows] = d_RK.mul_(p_RK)
            beta_grad_K.addmv_(d_RK.T, counted_R)
            x_RK = first_RK[:size].copy_(scores_BTK[video, rows]).sub_(mean_K)
            product_K.addmv_(d_RK.mul_(x_RK).T, counted_R)
        terms = batch_terms(product_K, beta_grad_K, rstd_K, counted_BT, own=ctx.rest)
        through_batch_norm_(grad_BTK, scores_BTK, counted_BT, gamma_K * rstd_K, mean_K, *terms)
        return grad_BTK, None, product_K * rstd_K, beta_grad_K, None, None, None
