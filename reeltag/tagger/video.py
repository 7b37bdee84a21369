"""Frames of one video as a tagger reads them, given as such or as a file, and what is refused."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltag.core.errors import DataError, reason_of
from reeltag.core.extras import check_extra
from reeltag.data.features import Features

Frames: TypeAlias = NDArray[np.uint8] | NDArray[np.floating[Any]] | Tensor
_FAR = 0.01  # of the values may be outliers
Video: TypeAlias = Frames | Mapping[str, Frames] | str | Path
Videos: TypeAlias = (  # a str is a sequence of str as well
    Sequence[Frames | Mapping[str, Frames] | Path] | list[str] | tuple[str, ...]
)


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


def as_frames(video: Video, features: Features, *, where: str = "") -> Tensor:
    """Return the frames (T, D) of a video, uint8 or float32, on the CPU.

    Whole numbers from 0 to 255 are stored bytes, of whatever type, where the features are stored as
    such.

    Args:
        video: (T, D), or a mapping of stream name to (T, width), or a video or sound file.
        features: description of the streams.
        where: what it is called in an error.

    Raises:
        DataError: no frames, the wrong width, type or streams, what is not finite, or floats that
            are far from all that stored bytes mean; or a file that cannot be decoded.
        ConfigError: a file, and the encoders of the features are not known here.
        MissingPackageError: a file, and the extra `video` is not installed.
    """
    if isinstance(video, str | Path):
        return torch.from_numpy(_frames_of_file(video, features))
    streams = [(stream.name, stream.width) for stream in features.streams]
    if isinstance(video, Mapping):
        missing = [name for name, _ in streams if name not in video]
        if missing:
            there = ", ".join(map(str, video)) or "none"
            raise DataError(
                f"streams {missing} are missing; there are {there}, and the tagger reads "
                f"{_listed(streams)}",
                where=where,
            )
        parts = [as_frames(video[name], features.of([name]), where=where) for name, _ in streams]
        if len({(len(part), part.dtype) for part in parts}) > 1:
            found = ", ".join(
                f"{name} {tuple(part.shape)} {part.dtype}"
                for (name, _), part in zip(streams, parts, strict=True)
            )
            raise DataError(f"streams differ in length or type: {found}", where=where)
        return torch.cat(parts, dim=1)
    width = sum(width for _, width in streams)
    frames = _as_tensor(video, where)
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
        return _as_bytes(frames, features, where)
    if not frames.isfinite().all():
        raise DataError("frames hold NaN or infinity", where=where)
    frames = frames.float()
    _check_range(frames, features, where)
    return frames


def _as_tensor(video: Frames, where: str) -> Tensor:
    """Return an array as a tensor; DataError where it is none of numbers."""
    try:
        return torch.as_tensor(video, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        what = f"frames must be an array of numbers ({reason_of(error)})"
        raise DataError(what, where=where) from error


def _frames_of_file(path: str | Path, features: Features) -> NDArray[Any]:
    """Return the frames (T, D) of a video or sound file, as `reeltag extract` stores them."""
    check_extra("video")
    from reeltag.library.extraction.one_file import features_of_file

    frames = features_of_file(path, features)
    return frames if frames.dtype == np.uint8 else frames.astype(np.float32)


def _as_bytes(frames: Tensor, features: Features, where: str) -> Tensor:
    """Return whole numbers as stored bytes; DataError where they are none."""
    stored = all(stream.dtype == "uint8" for stream in features.streams)
    if frames.dtype == torch.bool or not stored or not ((frames >= 0) & (frames <= 255)).all():
        allowed = "uint8 as stored, 0 to 255, or floating point" if stored else "floating point"
        found = f"{frames.dtype} from {frames.min().item()} to {frames.max().item()}"
        raise DataError(
            f"frames must be {allowed}; got {found}",
            where=where,
            hint="Features as numbers: .astype(numpy.float32).",
        )
    return frames.to(torch.uint8)


def _check_range(frames: Tensor, features: Features, where: str) -> None:
    """Raise DataError where floats are not what stored bytes mean, by more than the whole range."""
    if any(stream.dtype != "uint8" for stream in features.streams):
        return
    scale_D, offset_D = (torch.from_numpy(of).float() for of in features.codes())
    span_D = 255 * scale_D
    far = (frames < offset_D - span_D) | (frames > offset_D + 2 * span_D)
    if far.float().mean() > _FAR:
        low, high = offset_D.min().item(), (offset_D + span_D).max().item()
        raise DataError(
            f"frames are floats from {frames.min().item():.4g} to {frames.max().item():.4g}; those "
            f"that the tagger knows are in [{low:.4g}, {high:.4g}]",
            where=where,
            hint="Stored bytes are given as uint8: .astype(numpy.uint8).",
        )


def _listed(streams: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({width})" for name, width in streams)
