"""NetVLAD pooling: an order-free summary of a bag of frames.

Shape letters: B videos, T frames (padded), D feature size, K clusters.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.aggregation import weighted_sum
from reeltag.layers.assignment import soft_assign
from reeltag.layers.initialisers import normal_linear
from reeltag.layers.norm import MaskedBatchNorm


class NetVLAD(nn.Module):
    """Assign frames softly to K learned centres and sum the residuals per centre.

        a[t, k] = softmax_k(norm(x Wc)) * mask[t];  V[d, k] = sum_t a[t, k] (x[t, d] - centre[d, k])

    then L2 over d for each cluster, and L2 over everything. Assignment weights and centres are
    independent parameters. Source: Arandjelovic et al., CVPR 2016, arXiv:1511.07247 sec. 3.1 eq. 4;
    with batch norm for the bias as in arXiv:1706.06905 and its authors' frame_level_models.py.

    Args:
        dim: D.
        num_clusters: K.
    """

    def __init__(self, dim: int, num_clusters: int) -> None:
        super().__init__()
        self.num_clusters = num_clusters
        self.assign = normal_linear(dim, num_clusters, std=dim**-0.5)
        self.assign_norm = MaskedBatchNorm(num_clusters)
        self.centres_DK = nn.Parameter(torch.randn(dim, num_clusters) * dim**-0.5)

    @property
    def output_size(self) -> int:
        """D * K."""
        return self.centres_DK.numel()

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, D * K), column d * K + k, of unit norm, float32 (float64 stays).

        A video without real frames gives 0.
        """
        device = frames_BTD.device.type
        if torch.is_autocast_enabled(device):  # once, not at each product
            frames_BTD = frames_BTD.to(torch.get_autocast_dtype(device))
        weights_BTK, mass_BK = self.weights(frames_BTD, mask_BT)
        sum_BKD = weighted_sum(weights_BTK, frames_BTD).to(mass_BK.dtype)
        vlad_BDK = sum_BKD.transpose(1, 2) - mass_BK.unsqueeze(1) * self.centres_DK
        vlad_BV = F.normalize(vlad_BDK, dim=1, eps=1e-6).flatten(start_dim=1)
        return F.normalize(vlad_BV, dim=-1, eps=1e-6)

    def weights(self, frames_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return the assignment weights (B, T, K), 0 in the padding, and their sum (B, K)."""
        norm, scores_BTK = self.assign_norm, self.assign(frames_BTD)
        dtype = torch.promote_types(scores_BTK.dtype, torch.float32)
        mask_BT1 = mask_BT.to(dtype).unsqueeze(-1)
        if self.training:
            weights_BTK, mass_B1K, mean_K, var_K = soft_assign(
                scores_BTK, mask_BT1, mask_BT.to(dtype), norm.weight, norm.bias, norm.eps
            )
            norm.track(mean_K, var_K)
            return weights_BTK, mass_B1K.squeeze(1)
        exact_BTK = norm(scores_BTK).softmax(dim=-1) * mask_BT1
        return exact_BTK.to(scores_BTK.dtype), exact_BTK.sum(dim=1)

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        return {
            "assign.weight": "cluster_weights",
            "assign_norm": "cluster_bn",
            "centres_DK": "cluster_weights2",
        }
