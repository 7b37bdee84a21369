"""NeXtVLAD pooling: frames are widened, cut into groups, and every group votes for clusters.

Shape letters: B videos, T frames (padded), D feature size, E = expansion * D, G groups,
F = E / G, K clusters, C = G * K score columns.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.aggregation import expand_and_sum, weighted_sum
from reeltag.layers.assignment import soft_assign
from reeltag.layers.initialisers import scaled_linear, variance_scaling_
from reeltag.layers.norm import MaskedBatchNorm


class NeXtVLAD(nn.Module):
    """Assign each group of each widened frame softly to clusters; sum what lies beyond the centre.

        x1 = x We + be                                        (E), seen as G groups of F
        a[t, g, k] = softmax_k(norm(x1 Wc)) * sigmoid(x1 Wa + ba)[g] * mask[t]
        V[f, k] = sum_tg a[t, g, k] * (x1[t, g, f] - centre[f, k]);  L2 over f;  norm

    Source: Lin, Xiao, Fan 2018, arXiv:1811.05014, sec. 3.1 eq. 2 to 8. As in the authors' code a
    batch norm, not a second L2 norm, ends it.

    How it is computed: x1 is linear in x, so scores and attention are taken straight from x with
    the products We Wc and We Wa; the gradient of We is summed in the cheaper of two orders
    (`expand_and_sum`). At the published size (D 1024, E 2048, C 1024) and 24,000 frames a training
    step then takes 166 thousand million multiply-adds in place of 271; docs/speed.md counts them.
    Few frames (fewer than E) are computed as written above.

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
        device = frames_BTD.device.type
        if torch.is_autocast_enabled(device):  # once, not at each of the three products
            frames_BTD = frames_BTD.to(torch.get_autocast_dtype(device))
        expand, compiling = self.expand.weight, torch.compiler.is_compiling()
        many = not compiling and mask_BT.numel() >= self.expand.out_features
        if many or torch.compiler.is_exporting():  # then the products are of constants, made once
            weights_BTC, mass_BGK = self._weights(frames_BTD, expand, mask_BT)
            sum_BKF = expand_and_sum(frames_BTD, expand, weights_BTC, self.groups)
        else:
            wide_BTE = F.linear(frames_BTD, expand)  # the bias comes in with the mass
            weights_BTC, mass_BGK = self._weights(wide_BTE, None, mask_BT)
            rows_BNF = wide_BTE.unflatten(-1, (self.groups, -1)).flatten(1, 2)
            rows_BNK = weights_BTC.unflatten(-1, (self.groups, -1)).flatten(1, 2)
            sum_BKF = weighted_sum(rows_BNK, rows_BNF)
        sum_BKF = sum_BKF.to(mass_BGK.dtype)
        with torch.autocast(device, enabled=False):
            bias_GF = self.expand.bias.unflatten(0, (self.groups, -1))
            sum_BKF = sum_BKF + mass_BGK.transpose(1, 2) @ bias_GF
        vlad_BFK = sum_BKF.transpose(1, 2) - mass_BGK.sum(dim=1).unsqueeze(1) * self.centres_FK
        vlad_BV: Tensor = self.norm(F.normalize(vlad_BFK, dim=1, eps=1e-6).flatten(start_dim=1))
        return vlad_BV

    def _weights(
        self, source_BTS: Tensor, expand_ED: Tensor | None, mask_BT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the assignment weights (B, T, C), and their sum over frames (B, G, K).

        Args:
            source_BTS: frames (S = D) that `expand_ED` widens, or widened frames (S = E).
            expand_ED: the widening to fold in, or None.
            mask_BT: bool, True for a real frame.
        """
        norm, dtype = self.assign_norm, torch.promote_types(source_BTS.dtype, torch.float32)
        assign, attend = self.assign.weight, self.attend.weight
        if expand_ED is not None:
            assign, attend = assign @ expand_ED, attend @ expand_ED
        scores_BTC = F.linear(source_BTS, assign)
        offset_C = F.linear(self.expand.bias, self.assign.weight).to(dtype)
        attention_G = F.linear(self.expand.bias, self.attend.weight, self.attend.bias)
        attention_BTG = F.linear(source_BTS, attend, attention_G).to(dtype).sigmoid()
        attention_BTG = attention_BTG * mask_BT.unsqueeze(-1)
        if self.training:
            counted_BT = torch.ones_like(mask_BT) if self.count_padding else mask_BT
            weights_BTC, mass_BGK, mean_C, var_C = soft_assign(
                scores_BTC, attention_BTG, counted_BT.to(dtype), norm.weight, norm.bias, norm.eps
            )
            norm.track(mean_C + offset_C, var_C)  # batch norm takes any offset away again
            return weights_BTC, mass_BGK
        scores_BTGK = norm(scores_BTC.to(dtype) + offset_C).unflatten(-1, (self.groups, -1))
        weights_BTGK = scores_BTGK.softmax(dim=-1) * attention_BTG.unsqueeze(-1)
        return weights_BTGK.flatten(start_dim=2).to(scores_BTC.dtype), weights_BTGK.sum(dim=1)

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
