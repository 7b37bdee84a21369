"""Fewer frames: which of a batch's frames stay, and a shorter batch with only those.

The loader chooses frames while it reads them (`reeltag.data.sampling.FrameChoice`: at random, one
contiguous run, evenly spaced, every r-th with r drawn once per batch). Here is what needs the
frames themselves, or a random draw for each: dropping at random, and by similarity.

Shape letters: B items, T frames, D features.
"""

import torch
from torch import Tensor


def random_keep_mask(mask_BT: Tensor, probability: float) -> Tensor:
    """Return (B, T) bool: the real frames that stay where each is dropped with `probability`.

    At least one frame of each item stays: where all would go, one of them, uniformly drawn.

    Args:
        mask_BT: bool, True for a real frame.
        probability: in [0, 1).
    """
    draw_BT = torch.rand(mask_BT.shape, device=mask_BT.device)
    draw_BT = draw_BT.masked_fill(~mask_BT, -1.0)
    luckiest_BT = torch.zeros_like(mask_BT).scatter_(1, draw_BT.argmax(dim=1, keepdim=True), True)
    return ((draw_BT >= probability) | luckiest_BT) & mask_BT


def dissimilar_keep_mask(x_BTD: Tensor, mask_BT: Tensor, cosine: float) -> Tensor:
    """Return (B, T) bool: the real frames whose cosine with the frame before is at most `cosine`.

    The frame before is that of the video, whether it stays itself or not, so that a slow pan loses
    all frames but its first. The first frame always stays; a frame of zeros is similar to none.
    Source: Samsung 2018, slides, "subsampling frames using thresholds for cosine distances".

    Args:
        x_BTD: float features.
        mask_BT: bool, True for a real frame.
        cosine: threshold in [-1, 1].
    """
    norm_BT = torch.linalg.vector_norm(x_BTD, dim=-1)
    dot_BS = (x_BTD[:, 1:] * x_BTD[:, :-1]).sum(dim=-1)
    keep_BT = mask_BT.clone()
    keep_BT[:, 1:] &= dot_BS <= cosine * norm_BT[:, 1:] * norm_BT[:, :-1]
    return keep_BT


def compact(frames_BTD: Tensor, keep_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Return the frames to keep, in their order and first, and their mask.

    Args:
        frames_BTD: of any dtype.
        keep_BT: bool, at least one True for each item.

    Returns:
        (B, S, D) frames and (B, S) mask, S the largest number of frames kept.
    """
    count_B1 = keep_BT.sum(dim=1, keepdim=True)
    longest = int(count_B1.max())
    place_BS = keep_BT.int().argsort(dim=1, descending=True, stable=True)[:, :longest]
    first_B1 = torch.arange(len(keep_BT), device=keep_BT.device).unsqueeze(1) * keep_BT.shape[1]
    frames_ND = frames_BTD.flatten(0, 1)
    kept_ND = frames_ND.index_select(0, (first_B1 + place_BS).flatten())
    mask_BS = torch.arange(longest, device=keep_BT.device) < count_B1
    return kept_ND.view(len(keep_BT), longest, -1), mask_BS
