"""NetVLAD pooling: an order-free summary of a bag of frames.

Shape letters: B videos, T frames (padded), D feature size, K clusters, V = D * K.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.aggregation import weighted_sum
from reeltag.layers.clusters import SoftClusters, in_autocast_dtype
from reeltag.layers.input_norm import Affine

Kind = Literal["vlad", "rvlad", "vlagd"]


class NetVLAD(SoftClusters):
    """Assign frames softly to K clusters and sum what lies beyond each one's centre.

        a[t, k] = softmax_k(norm(x Wc)) * mask[t]
        vlad:   V[d, k] = sum_t a[t, k] (x[t, d] - centre[d, k])
        rvlad:  V[d, k] = sum_t a[t, k] x[t, d]
        vlagd:  V[d, k] = sigmoid(gate[k, d]) sum_t a[t, k] x[t, d]

    then L2 over d for each cluster, and L2 over everything. Assignment weights and centres are
    independent parameters. Source: Arandjelovic et al., CVPR 2016, arXiv:1511.07247 sec. 3.1 eq. 4;
    with batch norm for the bias, and NetRVLAD, as in arXiv:1706.06905 sec. 3.2 and its authors'
    frame_level_models.py (there LightVLAD; NetVLAGD is described there only).

    Args:
        dim: D.
        num_clusters: K.
        kind: which of the three.
    """

    def __init__(self, dim: int, num_clusters: int, kind: Kind = "vlad") -> None:
        super().__init__(dim, num_clusters)
        self.output_size, self.centres_DK, self.gate_KD = dim * num_clusters, None, None
        if kind == "vlad":
            self.centres_DK = nn.Parameter(torch.randn(dim, num_clusters) * dim**-0.5)
        if kind == "vlagd":
            self.gate_KD = nn.Parameter(torch.randn(num_clusters, dim) * dim**-0.5)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor, affine: Affine | None = None) -> Tensor:
        """Return (B, V), column d * K + k, of unit norm, float32 (float64 stays).

        A video without real frames gives 0.

        Args:
            frames_BTD: floating point; finite also in the padding.
            mask_BT: bool, True for a real frame.
            affine: scale (D,) and shift (D,), for x = scale * frames + shift; None: 1 and 0.
        """
        frames_BTD = in_autocast_dtype(frames_BTD)
        weights_BTK, mass_BK = self.weights(frames_BTD, mask_BT, affine)
        sum_BDK = weighted_sum(weights_BTK, frames_BTD).to(mass_BK.dtype).transpose(1, 2)
        if affine is not None:
            scale_D, shift_D = affine
            sum_BDK = sum_BDK * scale_D.unsqueeze(-1) + mass_BK.unsqueeze(1) * shift_D.unsqueeze(-1)
        if self.centres_DK is not None:
            sum_BDK = sum_BDK - mass_BK.unsqueeze(1) * self.centres_DK
        if self.gate_KD is not None:
            sum_BDK = sum_BDK * self.gate_KD.sigmoid().T
        vlad_BV = F.normalize(sum_BDK, dim=1, eps=1e-6).flatten(start_dim=1)
        return F.normalize(vlad_BV, dim=-1, eps=1e-6)

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        names = super().tensorflow_names()
        if self.centres_DK is not None:
            names["centres_DK"] = "cluster_weights2"
        if self.gate_KD is not None:
            names["gate_KD"] = "gate_weights"
        return names
