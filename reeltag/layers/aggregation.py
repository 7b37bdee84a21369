"""Sums of frames weighted by their assignment to clusters.

Shape letters: B videos, T frames (padded), D feature size, K clusters, V = D * K, N any rows,
F feature size of a row.
"""

import torch.nn.functional as F
from torch import Tensor

from reeltag.layers.kernels import normalised_sums as kernel
from reeltag.layers.kernels.dispatch import faster
from reeltag.layers.kernels.frame_sums import WeightedSum
from reeltag.layers.kernels.normalised_sums import SMALLEST


@faster(cpu=WeightedSum.apply, cuda=WeightedSum.apply)
def weighted_sum(weights_BNK: Tensor, values_BNF: Tensor) -> Tensor:
    """Return sum_n weights[n, k] * values[n, f], (B, K, F), in the dtype of the two."""
    return weights_BNK.transpose(1, 2) @ values_BNF


@faster(cpu=kernel.normalised_sums)
def normalised_sums(
    frames_BTD: Tensor,
    weights_BTK: Tensor,
    mass_BK: Tensor,
    factor_DK: Tensor,
    offset_DK: Tensor,
) -> Tensor:
    """Return factor * sum_t a[t, k] x[t, d] + mass[k] * offset[d, k], normalised twice, (B, V).

    L2 over d for each cluster, then over everything; column d * K + k, in the dtype of the frames.

    Args:
        frames_BTD: x, floating point; under autocast in its dtype already.
        weights_BTK: a, in the same dtype.
        mass_BK: float32 (float64 where the frames are).
        factor_DK: (D, K) or (D, 1), in the dtype of the mass.
        offset_DK: in the dtype of the mass.
    """
    sums_BDK = (frames_BTD.transpose(1, 2) @ weights_BTK).to(mass_BK.dtype)
    vlad_BDK = sums_BDK * factor_DK + mass_BK.unsqueeze(1) * offset_DK
    unit_BV = F.normalize(vlad_BDK, dim=1, eps=SMALLEST).flatten(start_dim=1)
    return F.normalize(unit_BV, dim=-1, eps=SMALLEST).to(frames_BTD.dtype)
