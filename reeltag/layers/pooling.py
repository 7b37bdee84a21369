"""Pooling that sees real frames only.

Shape letters: B videos, T frames (padded), D feature size.
"""

import torch
from torch import Tensor


def masked_mean(frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """Return the mean over real frames (B, D) in float32 (float64 stays); 0 where there are none.

    Args:
        frames_BTD: floating point; finite also in the padding.
        mask_BT: bool, True for a real frame.
    """
    dtype = torch.promote_types(frames_BTD.dtype, torch.float32)
    with torch.autocast(frames_BTD.device.type, enabled=False):
        mask_B1T = mask_BT.to(dtype).unsqueeze(1)
        sum_BD = (mask_B1T @ frames_BTD.to(dtype)).squeeze(1)
        return sum_BD / mask_B1T.sum(dim=-1).clamp(min=1)
