"""Frames of one video as a tagger reads them, and what is refused."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltag.core.errors import DataError, reason_of

Frames: TypeAlias = NDArray[np.uint8] | NDArray[np.floating[Any]] | Tensor
Video: TypeAlias = Frames | Mapping[str, Frames]


@contextmanager
def in_eval_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into eval mode, and each module in it back into its own mode afterwards."""
    modes = [(each, each.training) for each in module.modules()]
    try:
        module.eval()
        yield
    finally:
        for each, training in modes:
            each.training = training


def as_frames(video: Video, streams: Sequence[tuple[str, int]], *, where: str = "") -> Tensor:
    """Return the frames (T, D) of a video, uint8 or float32, on the CPU.

    Args:
        video: (T, D), or a mapping of stream name to (T, width).
        streams: (name, width) of each, in their order along D.
        where: what it is called in an error.

    Raises:
        DataError: no frames, the wrong width, type or streams, or what is not finite.
    """
    if isinstance(video, Mapping):
        missing = [name for name, _ in streams if name not in video]
        if missing:
            there = ", ".join(map(str, video)) or "none"
            raise DataError(
                f"streams {missing} are missing; there are {there}, and the tagger reads "
                f"{_listed(streams)}",
                where=where,
            )
        parts = [as_frames(video[name], [(name, width)], where=where) for name, width in streams]
        if len({(len(part), part.dtype) for part in parts}) > 1:
            found = ", ".join(
                f"{name} {tuple(part.shape)} {part.dtype}"
                for (name, _), part in zip(streams, parts, strict=True)
            )
            raise DataError(f"streams differ in length or type: {found}", where=where)
        return torch.cat(parts, dim=1)
    width = sum(width for _, width in streams)
    try:
        frames = torch.as_tensor(video, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"frames must be an array of numbers ({reason_of(error)})", where=where
        ) from error
    if frames.ndim != 2 or frames.shape[1] != width or not len(frames):
        hint = "Several videos are a list of such arrays." if frames.ndim == 3 else ""
        raise DataError(
            f"frames must be (T, {width}) with T >= 1, for {_listed(streams)}, got "
            f"{tuple(frames.shape)}",
            where=where,
            hint=hint,
        )
    if frames.dtype == torch.uint8:
        return frames
    if not frames.is_floating_point():
        raise DataError(
            f"frames must be uint8 as stored, or floating point; got {frames.dtype}",
            where=where,
            hint="Bytes: .astype(numpy.uint8). Features: .astype(numpy.float32).",
        )
    if not frames.isfinite().all():
        raise DataError("frames hold NaN or infinity", where=where)
    return frames.float()


def _listed(streams: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({width})" for name, width in streams)
