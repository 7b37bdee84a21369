"""Soft assignment of frames to learned clusters: what NetVLAD, NetFV and Soft-DBoW begin with.

Shape letters: B videos, T frames (padded), D feature size, K clusters.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.assignment import soft_assign, soft_counts
from reeltag.layers.initialisers import normal_linear
from reeltag.layers.input_norm import Affine, behind_offset, folded
from reeltag.layers.norm import MaskedBatchNorm


class SoftClusters(nn.Module):
    """Learned clusters among which every frame divides a mass of 1.

        a[t, k] = softmax_k(norm(x W)) * mask[t]

    As in the authors' code of arXiv:1706.06905 a batch norm takes the place of the bias.

    Args:
        dim: D.
        num_clusters: K.
    """

    def __init__(self, dim: int, num_clusters: int) -> None:
        super().__init__()
        self.num_clusters = num_clusters
        self.assign = normal_linear(dim, num_clusters, std=dim**-0.5)
        self.assign_norm = MaskedBatchNorm(num_clusters)

    def scores(self, frames_BTD: Tensor, affine: Affine | None) -> tuple[Tensor, Tensor | None]:
        """Return x W (B, T, K) but for an offset (K,) or None, which batch norm takes away again.

        x is `scale * frames + shift`.
        """
        weight_KD, offset_K = folded(self.assign.weight, affine)
        return F.linear(frames_BTD, weight_KD), offset_K

    def normalised_scores(self, frames_BTD: Tensor, affine: Affine | None) -> Tensor:
        """Return norm(x W), (B, T, K), by the running statistics, float32 (float64 stays)."""
        scores_BTK, offset_K = self.scores(frames_BTD, affine)
        if offset_K is not None:
            scores_BTK = scores_BTK + offset_K
        normed_BTK: Tensor = self.assign_norm(scores_BTK)
        return normed_BTK

    def weights(
        self, frames_BTD: Tensor, mask_BT: Tensor, affine: Affine | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the weights a (B, T, K), 0 in the padding, and their sum over frames (B, K)."""
        norm, dtype = self.assign_norm, torch.promote_types(frames_BTD.dtype, torch.float32)
        mask_BT1 = mask_BT.to(dtype).unsqueeze(-1)
        if not self.training:
            exact_BTK = self.normalised_scores(frames_BTD, affine).softmax(dim=-1) * mask_BT1
            return exact_BTK.to(frames_BTD.dtype), exact_BTK.sum(dim=1)
        scores_BTK, offset_K = self.scores(frames_BTD, affine)
        weights_BTK, mass_B1K, mean_K, var_K = soft_assign(
            scores_BTK, mask_BT1, mask_BT.to(dtype), norm.weight, norm.bias, norm.eps, None
        )
        norm.track(mean_K if offset_K is None else mean_K + offset_K, var_K)
        return weights_BTK, mass_B1K.squeeze(1)

    def counts(
        self, frames_BTD: Tensor, mask_BT: Tensor, affine: Affine | None, *, maximum: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the sum (B, K) and, if wanted, the maximum (B, K) of the weights over frames."""
        scores_BTK, offset_K = self.scores(frames_BTD, affine)
        counted_BT = mask_BT.to(torch.promote_types(scores_BTK.dtype, torch.float32))
        norm = self.assign_norm
        beta_K, statistics = behind_offset(norm, offset_K)
        sum_BK, max_BK, mean_K, var_K = soft_counts(
            scores_BTK, counted_BT, norm.weight, beta_K, norm.eps, statistics, maximum
        )
        if self.training:
            norm.track(mean_K if offset_K is None else mean_K + offset_K, var_K)
        return sum_BK, max_BK

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        return {"assign.weight": "cluster_weights", "assign_norm": "cluster_bn"}


def in_autocast_dtype(frames_BTD: Tensor) -> Tensor:
    """Return the frames in the dtype of autocast where that is on: once, not at each product."""
    device = frames_BTD.device.type
    if torch.is_autocast_enabled(device):
        frames_BTD = frames_BTD.to(torch.get_autocast_dtype(device))
    return frames_BTD
