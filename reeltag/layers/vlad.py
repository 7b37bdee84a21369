"""NetVLAD pooling: an order-free summary of a bag of frames.

Shape letters: B videos, T frames (padded), D feature size, K clusters, V = D * K.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from reeltag.layers.aggregation import normalised_sums
from reeltag.layers.clusters import SoftClusters, in_autocast_dtype
from reeltag.layers.input_norm import Affine

Kind = Literal["vlad", "rvlad", "vlagd"]


class NetVLAD(SoftClusters):
    """Assign frames softly to K clusters and sum their differences from its centre.

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
        """Return (B, V), column d * K + k, of unit norm, in the dtype of the frames (autocast's).

        A video without real frames gives 0.

        Args:
            frames_BTD: floating point; finite also in the padding.
            mask_BT: bool, True for a real frame.
            affine: scale (D,) and shift (D,), for x = scale * frames + shift; None: 1 and 0.
        """
        frames_BTD = in_autocast_dtype(frames_BTD)
        weights_BTK, mass_BK = self.weights(frames_BTD, mask_BT, affine)
        dim, dtype = self.assign.in_features, mass_BK.dtype
        scale_D, shift_D = affine or (mass_BK.new_ones(dim), mass_BK.new_zeros(dim))
        factor_DK = scale_D.to(dtype).unsqueeze(-1)
        offset_DK = shift_D.to(dtype).unsqueeze(-1).expand(-1, self.num_clusters)
        if self.centres_DK is not None:
            offset_DK = offset_DK - self.centres_DK
        if self.gate_KD is not None:
            gate_DK = self.gate_KD.sigmoid().T
            factor_DK, offset_DK = factor_DK * gate_DK, offset_DK * gate_DK
        return normalised_sums(frames_BTD, weights_BTK, mass_BK, factor_DK, offset_DK)

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        names = super().tensorflow_names()
        if self.centres_DK is not None:
            names["centres_DK"] = "cluster_weights2"
        if self.gate_KD is not None:
            names["gate_KD"] = "gate_weights"
        return names
