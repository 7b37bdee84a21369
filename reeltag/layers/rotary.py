"""Positions in time for attention: rotations of queries and keys, or sines added to them.

Shape letters: B videos, H heads, T frames, F features of a head, D feature size.
"""

import torch
from torch import Tensor

BASE = 10_000.0  # of the wavelengths, from 2 pi frames to 2 pi BASE frames


def rotated(x_BHTF: Tensor) -> Tensor:
    """Return `x` with every pair of features turned by an angle that grows with the frame's index.

    Pair i of frame t, (x[i], x[i + F/2]), is turned by t * BASE^(-2i/F), so that the product of a
    rotated query with a rotated key depends on how far apart they are, and not on where.
    Source: Su et al. 2021, arXiv:2104.09864 sec. 3.2; its pairs are neighbours, here they are the
    two halves.

    Args:
        x_BHTF: (..., T, F) floating point, F even; the result has its dtype.
    """
    angles_TG = _angles(x_BHTF.shape[-2], x_BHTF.shape[-1], x_BHTF)
    cos_TG, sin_TG = angles_TG.cos(), angles_TG.sin()
    first, second = x_BHTF.chunk(2, dim=-1)
    turned = (first * cos_TG - second * sin_TG, first * sin_TG + second * cos_TG)
    return torch.cat(turned, dim=-1).to(x_BHTF.dtype)


def sine_codes(frames_BTD: Tensor) -> Tensor:
    """Return s (T, D) with s[t, 2i] = sin(t BASE^(-2i/D)) and s[t, 2i + 1] = cos of the same.

    Source: Vaswani et al. 2017, arXiv:1706.03762 sec. 3.5.

    Args:
        frames_BTD: gives T, D and the device; float64 gives float64, all else float32.
    """
    dim = frames_BTD.shape[-1]
    angles_TG = _angles(frames_BTD.shape[-2], dim, frames_BTD)
    codes_TG2 = torch.stack((angles_TG.sin(), angles_TG.cos()), dim=-1)
    return codes_TG2.flatten(start_dim=-2)[:, :dim]  # an odd D leaves out the last cosine


def _angles(num_frames: int, size: int, like: Tensor) -> Tensor:
    """Return t BASE^(-2i/size), (T, ceil(size / 2)), float32 (float64 stays)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    steps_G = torch.arange(0, size, 2, device=like.device, dtype=dtype) / size
    frames_T = torch.arange(num_frames, device=like.device, dtype=dtype)
    return frames_T.unsqueeze(-1) * BASE**-steps_G
