"""NeXtVLAD pooling: frames are widened, cut into groups, and every group votes for clusters.

Shape letters: B videos, T frames (padded), D feature size, E = expansion * D, G groups,
F = E / G, K clusters, C = G * K score columns.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.aggregation import weighted_sum
from reeltag.layers.clusters import in_autocast_dtype
from reeltag.layers.initialisers import scaled_linear, variance_scaling_
from reeltag.layers.kernels import folded_nextvlad as kernel
from reeltag.layers.kernels.dispatch import faster
from reeltag.layers.norm import MaskedBatchNorm


class NeXtVLAD(nn.Module):
    """Assign each group of each widened frame softly to clusters; sum differences from the centre.

        x1 = x We + be                                        (E), seen as G groups of F
        a[t, g, k] = softmax_k(norm(x1 Wc)) * sigmoid(x1 Wa + ba)[g] * mask[t]
        V[f, k] = sum_tg a[t, g, k] * (x1[t, g, f] - centre[f, k]);  L2 over f;  norm

    Source: Lin, Xiao, Fan 2018, arXiv:1811.05014, sec. 3.1 eq. 2 to 8. As in the authors' code a
    batch norm, not a second L2 norm, ends it.

    Args:
        dim: D.
        num_clusters: K.
        groups: G, a divisor of E.
        expansion: E / D.
        count_padding: let padding take part in the batch statistics of the scores in training, as
            the authors' code does. For parity only: results then depend on the padding.

    Raises:
        ValueError: the groups do not divide E.
    """

    def __init__(
        self,
        dim: int,
        num_clusters: int,
        groups: int,
        *,
        expansion: int = 2,
        count_padding: bool = False,
    ) -> None:
        super().__init__()
        wide = expansion * dim
        if wide % groups:
            raise ValueError(f"{groups} groups do not divide {wide} = {expansion} * {dim}")
        self.groups, self.num_clusters, self.count_padding = groups, num_clusters, count_padding
        self.expand = scaled_linear(dim, wide)
        self.attend = scaled_linear(wide, groups)
        self.assign = scaled_linear(wide, groups * num_clusters, bias=False)
        self.assign_norm = MaskedBatchNorm(groups * num_clusters)
        self.centres_FK = nn.Parameter(torch.empty(wide // groups, num_clusters))
        variance_scaling_(self.centres_FK, fan_in=wide // groups)
        self.norm = MaskedBatchNorm(wide // groups * num_clusters)

    @property
    def output_size(self) -> int:
        """F * K."""
        return self.centres_FK.numel()

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, F * K), column f * K + k, in float32 (float64 stays)."""
        return self._normalised(*assigned_sums(in_autocast_dtype(frames_BTD), mask_BT, self))

    def _normalised(self, sum_BKF: Tensor, mass_BK: Tensor) -> Tensor:
        """Return (B, F * K) of the sums over frames."""
        vlad_BFK = sum_BKF.transpose(1, 2) - mass_BK.unsqueeze(1) * self.centres_FK
        vlad_BV: Tensor = self.norm(F.normalize(vlad_BFK, dim=1, eps=1e-6).flatten(start_dim=1))
        return vlad_BV

    @property
    def term_size(self) -> int:
        """E + C, values of the terms of a frame."""
        return self.expand.out_features + self.assign.out_features

    def frame_terms(self, frames_BTD: Tensor) -> Tensor:
        """Return the widened frames and their weights a, (B, T, E + C), in eval mode."""
        wide_BTE = self.expand(frames_BTD)
        scores_BTC = self.assign_norm(self.assign(wide_BTE))
        attention_BTG = self.attend(wide_BTE).to(scores_BTC.dtype).sigmoid()
        a_BTGK = scores_BTC.unflatten(-1, (self.groups, -1)).softmax(dim=-1)
        a_BTC = (a_BTGK * attention_BTG.unsqueeze(-1)).flatten(start_dim=2)
        return torch.cat([wide_BTE, a_BTC.to(wide_BTE.dtype)], dim=-1)

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return what `forward` returns, of the terms of each frame."""
        wide_BTE, a_BTC = terms_BTS.split(
            [self.expand.out_features, self.assign.out_features], dim=-1
        )
        a_BTC = a_BTC * mask_BT.unsqueeze(-1)
        a_BNK, wide_BNF = (
            x_BTE.unflatten(-1, (self.groups, -1)).flatten(1, 2) for x_BTE in (a_BTC, wide_BTE)
        )
        mass_BK = a_BNK.to(torch.promote_types(a_BNK.dtype, torch.float32)).sum(dim=1)
        return self._normalised(weighted_sum(a_BNK, wide_BNF).to(mass_BK.dtype), mass_BK)

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        return {
            "expand": "fully_connected",
            "attend": "fully_connected_1",
            "assign.weight": "cluster_weights",
            "assign_norm": "cluster_bn",
            "centres_FK": "cluster_weights2",
            "norm": "vlad_bn",
        }


@faster(
    cpu=kernel.assigned_sums, cuda=kernel.assigned_sums, export=kernel.assigned_sums, autocast=True
)
def assigned_sums(frames_BTD: Tensor, mask_BT: Tensor, layer: NeXtVLAD) -> tuple[Tensor, Tensor]:
    """Return sum_tg a[t, g, k] x1[t, g, f], (B, K, F), and sum_tg a[t, g, k], (B, K).

    In training mode the running statistics of the layer's `assign_norm` move.

    Args:
        frames_BTD: floating point; under autocast in its dtype already.
        mask_BT: bool, True for a real frame.
        layer: gives the linear maps and the norm.
    """
    wide_BTE = layer.expand(frames_BTD)
    counted_BT = torch.ones_like(mask_BT) if layer.count_padding else mask_BT
    scores_BTC = layer.assign_norm(layer.assign(wide_BTE), counted_BT)
    attention_BTG = layer.attend(wide_BTE).to(scores_BTC.dtype).sigmoid() * mask_BT.unsqueeze(-1)
    a_BTGK = scores_BTC.unflatten(-1, (layer.groups, -1)).softmax(dim=-1)
    a_BNK = (a_BTGK * attention_BTG.unsqueeze(-1)).flatten(1, 2)
    wide_BNF = wide_BTE.unflatten(-1, (layer.groups, -1)).flatten(1, 2)
    sum_BKF = weighted_sum(a_BNK.to(wide_BNF.dtype), wide_BNF)
    return sum_BKF.to(a_BNK.dtype), a_BNK.sum(dim=1)
