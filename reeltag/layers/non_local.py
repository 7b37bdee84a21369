"""Attention among the clusters of a VLAD, so that each may look at what the others have summed.

Shape letters: B videos, T frames (padded), D feature size, K clusters, I inner size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.aggregation import weighted_sum
from reeltag.layers.clusters import SoftClusters, in_autocast_dtype
from reeltag.layers.initialisers import normal_linear
from reeltag.layers.input_norm import Affine


class NonLocalBlock(nn.Module):
    """y[k] = x[k] + O sum_j a[k, j] G x[j],  a[k] = softmax_j(theta x[k] . phi x[j] / temperature).

    Source: Wang et al. 2018, arXiv:1711.07971 eq. 6; sizes, initial weights and the temperature as
    the authors of arXiv:1810.00207 use it. Computed in float32 (float64 stays), under autocast too:
    scores of sums that are not normalised reach hundreds, where bfloat16 has steps of 1.

    Args:
        dim: D.
        inner: I, size of theta x, phi x and G x.
        temperature: what the scores are divided by.
    """

    def __init__(self, dim: int, inner: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.theta, self.phi, self.value = (
            normal_linear(dim, inner, std=dim**-0.5) for _ in range(3)
        )
        self.out = normal_linear(inner, dim, std=inner**-0.5)

    def forward(self, x_BKD: Tensor) -> Tensor:
        """Return (B, K, D), float32 (float64 stays)."""
        x_BKD = x_BKD.to(torch.promote_types(x_BKD.dtype, torch.float32))
        with torch.autocast(x_BKD.device.type, enabled=False):
            scores_BKK = self.theta(x_BKD) @ self.phi(x_BKD).transpose(1, 2) / self.temperature
            heard_BKD: Tensor = self.out(scores_BKK.softmax(dim=-1) @ self.value(x_BKD))
            return x_BKD + heard_BKD


class NonLocalNetVLAD(SoftClusters):
    """NetVLAD whose clusters attend to one another before they are normalised.

        V[k] = sum_t a[t, k] (x[t] - centre[k])
        y = L2 over everything of L2 over d of NonLocalBlock(V)

    Source: arXiv:1810.00207 sec. 3; 17Skye17/2nd-YouTube8M.

    Args:
        dim: D.
        num_clusters: K, also the block's inner size.
        temperature: of the block.
    """

    def __init__(self, dim: int, num_clusters: int, temperature: float) -> None:
        super().__init__(dim, num_clusters)
        self.output_size = dim * num_clusters
        self.centres_DK = nn.Parameter(torch.randn(dim, num_clusters) * dim**-0.5)
        self.block = NonLocalBlock(dim, num_clusters, temperature)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor, affine: Affine | None = None) -> Tensor:
        """Return (B, D * K), column d * K + k, of unit norm, float32 (float64 stays).

        A video without real frames gives 0.

        Args:
            frames_BTD: floating point; finite also in the padding.
            mask_BT: bool, True for a real frame.
            affine: scale (D,) and shift (D,), for x = scale * frames + shift; None: 1 and 0.
        """
        frames_BTD = in_autocast_dtype(frames_BTD)
        weights_BTK, mass_BK = self.weights(frames_BTD, mask_BT, affine)
        sum_BKD = weighted_sum(weights_BTK, frames_BTD).to(mass_BK.dtype)
        offset_KD = -self.centres_DK.T
        if affine is not None:
            scale_D, shift_D = affine
            sum_BKD, offset_KD = sum_BKD * scale_D, offset_KD + shift_D
        vlad_BKD = self.block(sum_BKD + mass_BK.unsqueeze(-1) * offset_KD)
        unit_BKD = F.normalize(vlad_BKD, dim=-1, eps=1e-6)
        return F.normalize(unit_BKD.transpose(1, 2).flatten(start_dim=1), dim=-1, eps=1e-6)

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        return super().tensorflow_names() | {
            "centres_DK": "cluster_weights2",
            "block.theta.weight": "nonlocal_theta",
            "block.phi.weight": "nonlocal_phi",
            "block.value.weight": "nonlocal_g",
            "block.out.weight": "nonlocal_out",
        }
