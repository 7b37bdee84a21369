"""Sums of frames per cluster, scaled, shifted and normalised, as one differentiable step.

At the published size of NetVLAD these sums are 22 million numbers a batch: autograd would walk
through them about thirty times in float32. Here one video at a time stays in the cache, and two
arrays are kept, in the dtype of the frames. For CPUs.

Shape letters: B videos, T frames (padded), D feature size, K clusters, V = D * K.
"""

import torch
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context

SMALLEST = 1e-6  # norms below count as this


def normalised_sums(
    frames_BTD: Tensor,
    weights_BTK: Tensor,
    mass_BK: Tensor,
    factor_DK: Tensor,
    offset_DK: Tensor,
) -> Tensor:
    """Return what `layers.aggregation.normalised_sums` returns."""
    sums_BDK = frames_BTD.transpose(1, 2) @ weights_BTK
    out_BV: Tensor = _Normalise.apply(sums_BDK, mass_BK, factor_DK.contiguous(), offset_DK)
    return out_BV


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Context, sums_BDK: Tensor, mass_BK: Tensor, factor_DK: Tensor, offset_DK: Tensor
    ) -> Tensor:
        out_BDK, norm_BK = torch.empty_like(sums_BDK), torch.empty_like(mass_BK)
        both_BK, total_B1 = torch.empty_like(mass_BK), mass_BK.new_empty(len(mass_BK), 1)
        for b in range(len(sums_BDK)):
            vlad_DK = torch.mul(sums_BDK[b], factor_DK).addcmul_(offset_DK, mass_BK[b])
            norm_BK[b] = torch.linalg.vector_norm(vlad_DK, dim=0)
            inverse_K = norm_BK[b].clamp(min=SMALLEST).reciprocal()
            total_B1[b] = torch.linalg.vector_norm(norm_BK[b] * inverse_K)
            both_BK[b] = inverse_K / total_B1[b].clamp(min=SMALLEST)
            out_BDK[b] = vlad_DK.mul_(both_BK[b])
        ctx.save_for_backward(
            sums_BDK, mass_BK, factor_DK, offset_DK, out_BDK, norm_BK, both_BK, total_B1
        )
        return out_BDK.flatten(start_dim=1)

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """With O the outcome, n the norms, g over everything: dV = both * (dO - O * share)."""
        sums_BDK, mass_BK, factor_DK, offset_DK, out_BDK, norm_BK, both_BK, total_B1 = (
            ctx.saved_tensors
        )
        grad_BDK = gradients[0].reshape(sums_BDK.shape)
        sums_grad_BDK, mass_grad_BK = torch.empty_like(sums_BDK), torch.empty_like(mass_BK)
        factor_grad_DK, offset_grad_DK = torch.zeros_like(factor_DK), torch.zeros_like(offset_DK)
        square_BK = (norm_BK * both_BK).square()  # of the clusters in O
        for b in range(len(sums_BDK)):
            grad_DK, out_DK = grad_BDK[b].to(mass_BK.dtype), out_BDK[b].to(mass_BK.dtype)
            product_K = (grad_DK * out_DK).sum(dim=0)
            whole = product_K.sum() * (total_B1[b] > SMALLEST)
            own_K = (product_K - whole * square_BK[b]) * total_B1[b].clamp(min=SMALLEST).square()
            share_K = whole + own_K * (norm_BK[b] > SMALLEST)
            vlad_grad_DK = grad_DK.addcmul(out_DK, share_K, value=-1).mul_(both_BK[b])
            mass_grad_BK[b] = (vlad_grad_DK * offset_DK).sum(dim=0)
            offset_grad_DK.addcmul_(vlad_grad_DK, mass_BK[b])
            factor_grad = vlad_grad_DK * sums_BDK[b]
            factor_grad_DK += factor_grad.sum_to_size(factor_DK.shape)
            sums_grad_BDK[b] = vlad_grad_DK.mul_(factor_DK)
        return sums_grad_BDK, mass_grad_BK, factor_grad_DK, offset_grad_DK
