"""The sums of NeXtVLAD with its widening folded into the maps behind it.

x1 = x We + be is linear in x, so scores and attention are taken straight from x with the products
We Wc and We Wa; the gradient of We is summed in the cheaper of two orders (`expand_and_sum`). At
the published size (D 1024, E 2048, C 1024) and 24,000 frames a training step then takes 166
thousand million multiply-adds in place of 271; docs/explanation/speed.md counts them.

Shape letters: B videos, T frames (padded), D feature size, E = G * F widened size, G groups,
F group size, K clusters, C = G * K score columns g * K + k, S = D or E.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as nnf
from torch import Tensor

from reeltag.layers.aggregation import weighted_sum
from reeltag.layers.assignment import soft_assign
from reeltag.layers.kernels.frame_sums import expand_and_sum

if TYPE_CHECKING:
    from reeltag.layers.nextvlad import NeXtVLAD


def assigned_sums(frames_BTD: Tensor, mask_BT: Tensor, layer: "NeXtVLAD") -> tuple[Tensor, Tensor]:
    """Return what `layers.nextvlad.assigned_sums` returns.

    Few frames (fewer than E) are widened first; in an exported graph none are, for there the
    products are of constants, made once.
    """
    expand = layer.expand.weight
    if torch.compiler.is_exporting() or mask_BT.numel() >= layer.expand.out_features:
        weights_BTC, mass_BGK = _weights(frames_BTD, expand, mask_BT, layer)
        sum_BKF = expand_and_sum(frames_BTD, expand, weights_BTC, layer.groups)
    else:
        wide_BTE = nnf.linear(frames_BTD, expand)  # the bias comes in with the mass
        weights_BTC, mass_BGK = _weights(wide_BTE, None, mask_BT, layer)
        rows_BNF = wide_BTE.unflatten(-1, (layer.groups, -1)).flatten(1, 2)
        rows_BNK = weights_BTC.unflatten(-1, (layer.groups, -1)).flatten(1, 2)
        sum_BKF = weighted_sum(rows_BNK, rows_BNF)
    sum_BKF = sum_BKF.to(mass_BGK.dtype)
    with torch.autocast(frames_BTD.device.type, enabled=False):
        bias_GF = layer.expand.bias.unflatten(0, (layer.groups, -1))
        sum_BKF = sum_BKF + mass_BGK.transpose(1, 2) @ bias_GF
    return sum_BKF, mass_BGK.sum(dim=1)


def _weights(
    source_BTS: Tensor, expand_ED: Tensor | None, mask_BT: Tensor, layer: "NeXtVLAD"
) -> tuple[Tensor, Tensor]:
    """Return the assignment weights (B, T, C), and their sum over frames (B, G, K).

    Args:
        source_BTS: frames (S = D) that `expand_ED` widens, or widened frames (S = E).
        expand_ED: the widening to fold in, or None.
        mask_BT: bool, True for a real frame.
        layer: gives the maps and the norm.
    """
    norm, dtype = layer.assign_norm, torch.promote_types(source_BTS.dtype, torch.float32)
    assign, attend, bias_E = layer.assign.weight, layer.attend.weight, layer.expand.bias
    if expand_ED is not None:
        assign, attend = assign @ expand_ED, attend @ expand_ED
    scores_BTC = nnf.linear(source_BTS, assign)
    offset_C = nnf.linear(bias_E, layer.assign.weight).to(dtype)
    attention_G = nnf.linear(bias_E, layer.attend.weight, layer.attend.bias)
    attention_BTG = nnf.linear(source_BTS, attend, attention_G).to(dtype).sigmoid()
    attention_BTG = attention_BTG * mask_BT.unsqueeze(-1)
    if layer.training:
        counted_BT = torch.ones_like(mask_BT) if layer.count_padding else mask_BT
        weights_BTC, mass_BGK, mean_C, var_C = soft_assign(
            scores_BTC, attention_BTG, counted_BT.to(dtype), norm.weight, norm.bias, norm.eps, None
        )
        norm.track(mean_C + offset_C, var_C)  # batch norm takes any offset away again
        return weights_BTC, mass_BGK
    scores_BTGK = norm(scores_BTC.to(dtype) + offset_C).unflatten(-1, (layer.groups, -1))
    weights_BTGK = scores_BTGK.softmax(dim=-1) * attention_BTG.unsqueeze(-1)
    return weights_BTGK.flatten(start_dim=2).to(scores_BTC.dtype), weights_BTGK.sum(dim=1)
