"""From stored bytes to the features that a model reads.

    uint8 codes -> dequantise -> reverse whitening (optional) -> L2 norm (optional) -> zero padding
                   '------------- features -------------'        '-------- normalise --------'

Shape letters: B videos, T frames (padded), D widths of all streams together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from reeltag.core.errors import ConfigError
from reeltag.layers.kernels import blockwise
from reeltag.layers.kernels.dispatch import faster

SCALE, OFFSET = 4 / 255, 4 / 512 - 2  # the step uses 255, the half-step bias 512, as released
SAMSUNG_SCALE, SAMSUNG_OFFSET = 1 / 64, -2.0  # of their frame-level networks
SHIFT, FLOOR = 4 / 512, 1e-4  # of NeXtVLAD's reverse whitening
SMALLEST_NORM = 1e-6  # TensorFlow floors the squared norm at 1e-12


def dequantise(codes: Tensor) -> Tensor:
    """Turn stored bytes into features: value = code * 4 / 255 + (4 / 512 - 2).

    The result spans [-1.9922, 2.0078] rather than [-2, 2]; models trained by others assume this.
    Source: google/youtube-8m utils.py, `Dequantize`.

    Args:
        codes: (..., D) uint8.

    Returns:
        (..., D) float32, same device.

    Raises:
        TypeError: `codes` is not uint8 (it would silently be dequantised twice).

    Example:
        >>> dequantise(torch.tensor([0, 255], dtype=torch.uint8))
        tensor([-1.9922,  2.0078])
    """
    if codes.dtype != torch.uint8:
        raise TypeError(f"codes must be uint8, got {codes.dtype}")
    return codes.float().mul_(SCALE).add_(OFFSET)


@dataclass(frozen=True, kw_only=True)
class PreprocessingConfig:
    """What is done to frames between the file and the model; plain values, fit for JSON."""

    dequantise: Literal["published", "samsung"] = "published"
    """How a stored byte q becomes a number: as the features are described (published records:
    q * 4/255 + 4/512 - 2), or as Samsung's frame-level networks do, q / 64 - 2. Float features stay
    as they are."""
    normalise: Literal["joint", "streams", "none"] = "joint"
    """L2-normalise each frame: all streams as one vector, each stream alone, or not at all."""
    reverse_whitening: bool = False
    """Undo the PCA whitening of the first stream: (x - 4/512) * (sqrt(eigenvalue) + 1e-4); without
    eigenvalues only the shift is undone, and of features that are not published ones nothing."""


class Preprocessing(nn.Module):
    """Map frames as stored to float features; what the model sees, in training and in service.

    The eigenvalues are a buffer, so that a saved tagger carries them. Source of the reverse
    whitening: arXiv:1811.05014 sec. 3.3 and train.py of its authors' code; of the norm: train.py
    of google/youtube-8m (over the joint vector, so the streams keep their relative energy).

    Args:
        config: what to do.
        dims: widths of the streams, in their order along D.
        eigenvalues: (width of the first stream,) of the PCA, or None for no change of
            scale. Needs `config.reverse_whitening`.
        codes: (D,) scale and (D,) offset of stored bytes, of features that are not YouTube-8M's;
            None: as published.

    Raises:
        ConfigError: the eigenvalues do not fit the first stream, are negative, or are not used;
            or bytes of their own scale are to be read as Samsung read the published ones.
    """

    scale: Tensor
    offset: Tensor
    code_scale: Tensor
    code_offset: Tensor

    def __init__(
        self,
        config: PreprocessingConfig,
        dims: Sequence[int],
        eigenvalues: Tensor | None = None,
        *,
        codes: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.config, self.dims = config, tuple(dims)
        if codes is not None and config.dequantise == "samsung":
            raise ConfigError(
                "dequantise samsung is for published records; these bytes have their own scale",
                hint="Leave dequantise at published.",
            )
        self._is_published = codes is None
        if codes is not None:
            self.register_buffer("code_scale", codes[0].float(), persistent=False)
            self.register_buffer("code_offset", codes[1].float(), persistent=False)
        scale_D, offset_D = torch.ones(sum(dims)), torch.zeros(sum(dims))
        if eigenvalues is not None:
            _check_eigenvalues(config, self.dims, eigenvalues)
            scale_D[: dims[0]] = eigenvalues.float().sqrt() + FLOOR
        if config.reverse_whitening and (codes is None or eigenvalues is not None):
            offset_D[: dims[0]] = -SHIFT
        self.register_buffer("scale", scale_D)
        self.register_buffer("offset", offset_D)

    def forward(
        self, frames_BTD: Tensor, mask_BT: Tensor, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Return (B, T, D) features of `dtype`, exactly 0 where `mask_BT` is False.

        Args:
            frames_BTD: uint8 codes, or float features (video level), which are not dequantised.
            mask_BT: bool, True for a real frame.
            dtype: of the result; None is float32, under autocast its dtype, which saves the model
                a cast. Rounding to bfloat16 is finer than the steps of the code.
        """
        dtype = dtype or working_dtype(frames_BTD.device.type)
        return prepared(frames_BTD, mask_BT, dtype, self.features, self.normalise)

    def features(self, frames_BTD: Tensor) -> Tensor:
        """Return the first stage: (B, T, D) float32, dequantised and with the whitening reversed.

        Float features of video-level records come back as they are, perhaps the same tensor. What
        is at padding is unspecified.
        """
        is_codes = frames_BTD.dtype == torch.uint8
        step, start = self._codes() if is_codes else (1.0, 0.0)
        x_BTD = frames_BTD.float()
        if self.config.reverse_whitening:
            scale_D = self.scale * step
            x_BTD = torch.addcmul(self.scale * (start + self.offset), x_BTD, scale_D)
        elif is_codes:
            x_BTD = x_BTD.mul_(step).add_(start)
        return x_BTD

    def _codes(self) -> tuple[float, float] | tuple[Tensor, Tensor]:
        """Return scale and offset of bytes, as published or (D,) of each dimension."""
        if not self._is_published:
            return self.code_scale, self.code_offset
        if self.config.dequantise == "samsung":
            return SAMSUNG_SCALE, SAMSUNG_OFFSET
        return SCALE, OFFSET

    def normalise(self, x_BTD: Tensor, mask_BT: Tensor | None) -> Tensor:
        """Return the second stage, a new tensor: each frame of unit L2 norm, as configured.

        Args:
            x_BTD: float32, as `features` returns them.
            mask_BT: bool; the result is exactly 0 where it is False. None leaves padding as it is.
        """
        if self.config.normalise == "none":
            if mask_BT is None:
                return x_BTD.clone()
            return x_BTD.masked_fill(~mask_BT.unsqueeze(-1), 0.0)
        widths = self.dims if self.config.normalise == "streams" else (x_BTD.shape[-1],)
        parts = [_unit(part, mask_BT) for part in x_BTD.split(widths, dim=-1)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _of_codes(frames_BTD: Tensor, *_: object) -> bool:
    return frames_BTD.dtype == torch.uint8


@faster(cpu=blockwise.prepared, when=_of_codes, autocast=True)
def prepared(
    frames_BTD: Tensor,
    mask_BT: Tensor,
    dtype: torch.dtype,
    features: Callable[[Tensor], Tensor],
    normalise: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Return both stages of `Preprocessing` after one another, (B, T, D) in `dtype`."""
    return normalise(features(frames_BTD), mask_BT).to(dtype)


def working_dtype(device: str) -> torch.dtype:
    """Return autocast's dtype where it is on for that type of device, else float32."""
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32


def _unit(x_BTD: Tensor, mask_BT: Tensor | None) -> Tensor:
    norm_BT1 = torch.linalg.vector_norm(x_BTD, dim=-1, keepdim=True).clamp(min=SMALLEST_NORM)
    unit_BTD: Tensor = x_BTD / norm_BT1
    return unit_BTD if mask_BT is None else unit_BTD.masked_fill_(~mask_BT.unsqueeze(-1), 0.0)


def _check_eigenvalues(
    config: PreprocessingConfig, dims: tuple[int, ...], eigenvalues: Tensor
) -> None:
    if not config.reverse_whitening:
        raise ConfigError(
            "eigenvalues were given, but reverse_whitening is off",
            hint="Switch reverse_whitening on, or leave the eigenvalues out.",
        )
    if eigenvalues.shape != (dims[0],) or bool((eigenvalues < 0).any()):
        raise ConfigError(
            f"eigenvalues must be {dims[0]} numbers >= 0, one for each value of the first stream; "
            f"got shape {tuple(eigenvalues.shape)}, smallest {eigenvalues.min().item():g}",
            hint="YouTube-8M's are the first 1024 of eigenvals.npy in yt8m_pca.tgz.",
        )
