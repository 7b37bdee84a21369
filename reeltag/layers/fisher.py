"""NetFV pooling: means and variances of the frames that each cluster attracts.

Shape letters: B videos, T frames (padded), D feature size, K clusters, V = D * K.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.aggregation import weighted_sum
from reeltag.layers.clusters import SoftClusters, in_autocast_dtype
from reeltag.layers.input_norm import Affine

FLOOR = 1e-6  # added to the squared spread
COUPLING = 0.01  # coupled centres are so many times the assignment weights


class NetFV(SoftClusters):
    """Assign frames softly to K clusters and take each one's first and second order statistics.

        a[t, k] = softmax_k(norm(x Wc)) * mask[t];  m[k] = sum_t a[t, k];  s = spread^2 + 1e-6
        F1[d, k] = sum_t a[t, k] (x[t, d] - c[d, k]) / s[d, k]
        F2[d, k] = sum_t a[t, k] (x[t, d] - c[d, k])^2 / s[d, k]^2 - m[k]

    F1: L2 over d for each cluster, then over everything; F2: L2 over everything only (the authors'
    code flattens it before its first norm). Source: arXiv:1706.06905 sec. 3.2, and `NetFV` of its
    authors' frame_level_models.py, with batch norm for the bias.

    Args:
        dim: D.
        num_clusters: K.
        coupled: the centres are 0.01 * Wc, instead of parameters of their own.
    """

    def __init__(self, dim: int, num_clusters: int, *, coupled: bool = False) -> None:
        super().__init__(dim, num_clusters)
        self.output_size, self.centres_DK = 2 * dim * num_clusters, None
        self.spread_DK = nn.Parameter(1 + torch.randn(dim, num_clusters) * dim**-0.5)
        if not coupled:
            self.centres_DK = nn.Parameter(torch.randn(dim, num_clusters) * dim**-0.5)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor, affine: Affine | None = None) -> Tensor:
        """Return F1, then F2, (B, 2 * V), column d * K + k of each, float32 (float64 stays).

        A video without real frames gives 0.

        Args:
            frames_BTD: floating point; finite also in the padding.
            mask_BT: bool, True for a real frame.
            affine: scale (D,) and shift (D,), for x = scale * frames + shift; None: 1 and 0.
        """
        frames_BTD = in_autocast_dtype(frames_BTD)
        weights_BTK, mass_BK = self.weights(frames_BTD, mask_BT, affine)
        both_BTE = torch.cat([frames_BTD, frames_BTD * frames_BTD], dim=-1)
        sums_BEK = weighted_sum(weights_BTK, both_BTE).to(mass_BK.dtype).transpose(1, 2)
        sum_BDK, square_BDK = sums_BEK.chunk(2, dim=1)
        mass_B1K, centres_DK = mass_BK.unsqueeze(1), self.centres()
        if affine is not None:  # x - c = scale * (frames - (c - shift) / scale)
            scale_D1, shift_D1 = affine[0].unsqueeze(-1), affine[1].unsqueeze(-1)
            sum_BDK, square_BDK = scale_D1 * sum_BDK, scale_D1.square() * square_BDK
            centres_DK = centres_DK - shift_D1
        spread_DK = self.spread_DK.square() + FLOOR
        first_BDK = (sum_BDK - mass_B1K * centres_DK) / spread_DK
        about_BDK = square_BDK + centres_DK * (mass_B1K * centres_DK - 2 * sum_BDK)
        second_BV = (about_BDK / spread_DK.square() - mass_B1K).flatten(start_dim=1)
        first_BV = F.normalize(first_BDK, dim=1, eps=1e-6).flatten(start_dim=1)
        first_BV = F.normalize(first_BV, dim=-1, eps=1e-6)
        return torch.cat([first_BV, F.normalize(second_BV, dim=-1, eps=1e-6)], dim=-1)

    def centres(self) -> Tensor:
        """Return c (D, K)."""
        return COUPLING * self.assign.weight.T if self.centres_DK is None else self.centres_DK

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        names = super().tensorflow_names() | {"spread_DK": "covar_weights"}
        if self.centres_DK is not None:
            names["centres_DK"] = "cluster_weights2"
        return names
