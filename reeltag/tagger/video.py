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
from reeltag.data.sampling import frames_of_whole

Frames: TypeAlias = NDArray[np.uint8] | NDArray[np.floating[Any]] | Tensor
_FAR = 0.01  # of the values may be outliers
_VALUES_AT_ONCE = 1 << 22  # that are checked together
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


class VideoFrames:
    """Frames of one video, (T, D): checked when it is made, converted as they are read.

    Whole numbers from 0 to 255 are stored bytes, of whatever type, where the features are stored as
    such. Nothing is copied of what is not read, be it memory or a mapped file.

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

    def __init__(self, video: Video, features: Features, *, where: str = "") -> None:
        if isinstance(video, str | Path):
            self._parts: list[_Stored] = [torch.from_numpy(_frames_of_file(video, features))]
        elif isinstance(video, Mapping):
            self._parts = _of_streams(video, features, where)
        else:
            self._parts = [_stored_frames(video, features, where)]

    def __len__(self) -> int:
        """Return T."""
        return len(self._parts[0])

    def read(self, first: int, stop: int) -> Tensor:
        """Return the frames [first, stop), uint8 or float32 on the CPU."""
        return self._taken(slice(first, stop))

    def pick(self, numbers: NDArray[np.int64]) -> Tensor:
        """Return some frames by their numbers (n,), uint8 or float32 on the CPU."""
        return self._taken(torch.from_numpy(numbers))

    def _taken(self, some: slice | Tensor) -> Tensor:
        parts = [part[some].to(_dtype_read(part)) for part in self._parts]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def as_frames(video: Video, features: Features, *, where: str = "", most: int = 0) -> Tensor:
    """Return the frames (T, D) by which a video is scored as a whole, uint8 or float32.

    Args:
        video: as `VideoFrames` takes it.
        features: description of the streams.
        where: what it is called in an error.
        most: the first so many frames; 0: of its whole length (`frames_of_whole`).

    Raises:
        DataError, ConfigError, MissingPackageError: as `VideoFrames`.
    """
    frames = VideoFrames(video, features, where=where)
    numbers = frames_of_whole(len(frames), most)
    return frames.read(0, len(frames)) if numbers is None else frames.pick(numbers)


def _frames_of_file(path: str | Path, features: Features) -> NDArray[Any]:
    """Return the frames (T, D) of a video or sound file, as `reeltag extract` stores them."""
    check_extra("video")
    from reeltag.library.extraction.one_file import features_of_file

    frames = features_of_file(path, features)
    return frames if frames.dtype == np.uint8 else frames.astype(np.float32)


class _ReadOnly:
    """An array that may not be written to, as one of a mapped file: PyTorch takes copies of it."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array, self.shape = array, array.shape
        self.dtype = self[:1].dtype

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, some: slice | Tensor) -> Tensor:
        return torch.from_numpy(np.array(self._array[some]))


_Stored: TypeAlias = Tensor | _ReadOnly


def _of_streams(video: Mapping[str, Frames], features: Features, where: str) -> list[_Stored]:
    """Return the checked frames of each stream."""
    streams = [(stream.name, stream.width) for stream in features.streams]
    missing = [name for name, _ in streams if name not in video]
    if missing:
        there = ", ".join(map(str, video)) or "none"
        raise DataError(
            f"streams {missing} are missing; there are {there}, and the tagger reads "
            f"{_listed(streams)}",
            where=where,
        )
    parts = [_stored_frames(video[name], features.of([name]), where) for name, _ in streams]
    if len({(len(part), _dtype_read(part)) for part in parts}) > 1:
        found = ", ".join(
            f"{name} {tuple(part.shape)} {_dtype_read(part)}"
            for (name, _), part in zip(streams, parts, strict=True)
        )
        raise DataError(f"streams differ in length or type: {found}", where=where)
    return parts


def _stored_frames(video: Frames, features: Features, where: str) -> _Stored:
    """Return frames as they are, on the CPU; DataError where they cannot be read as such."""
    streams = [(stream.name, stream.width) for stream in features.streams]
    width = sum(width for _, width in streams)
    try:
        frames: _Stored
        if isinstance(video, np.ndarray) and video.ndim == 2 and not video.flags.writeable:
            frames = _ReadOnly(video)
        else:
            frames = torch.as_tensor(video, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"frames must be an array of numbers ({reason_of(error)})", where=where
        ) from error
    if len(frames.shape) != 2 or frames.shape[1] != width or not len(frames):
        hint = {
            1: "One video is an array, as numpy.array(frames) makes it of lists of numbers.",
            3: "Several videos are a list of such arrays.",
        }.get(len(frames.shape), "")
        raise DataError(
            f"frames must be (T, {width}) with T >= 1, for {_listed(streams)}, got "
            f"{tuple(frames.shape)}",
            where=where,
            hint=hint,
        )
    if frames.dtype != torch.uint8:
        if frames.dtype.is_floating_point:
            _check_floats(frames, features, where)
        else:
            _check_bytes(frames, features, where)
    return frames


def _dtype_read(frames: _Stored) -> torch.dtype:
    """Return the type that frames are read as."""
    return torch.float32 if frames.dtype.is_floating_point else torch.uint8


def _in_parts(frames: _Stored) -> Iterator[Tensor]:
    """Yield frames some at a time, so that what is computed of them is small."""
    step = max(1, _VALUES_AT_ONCE // frames.shape[1])
    yield from (frames[first : first + step] for first in range(0, len(frames), step))


def _extremes(frames: _Stored) -> tuple[float, float]:
    """Return the least and the greatest value."""
    whole = not frames.dtype.is_floating_point  # not all such types can be compared
    ends = [(part.long() if whole else part).aminmax() for part in _in_parts(frames)]
    return min(end.min.item() for end in ends), max(end.max.item() for end in ends)


def _check_bytes(frames: _Stored, features: Features, where: str) -> None:
    """Raise DataError where whole numbers are no stored bytes."""
    stored = all(stream.dtype == "uint8" for stream in features.streams)
    if frames.dtype.is_complex:
        raise DataError(f"frames must be real numbers; got {frames.dtype}", where=where)
    low, high = _extremes(frames)
    if frames.dtype == torch.bool or not stored or low < 0 or high > 255:
        allowed = "uint8 as stored, 0 to 255, or floating point" if stored else "floating point"
        raise DataError(
            f"frames must be {allowed}; got {frames.dtype} from {low} to {high}",
            where=where,
            hint="Features as numbers: .astype(numpy.float32).",
        )


def _check_floats(frames: _Stored, features: Features, where: str) -> None:
    """Raise DataError where floats are not finite, or far from all that stored bytes mean.

    That is: by more than the whole range of the bytes.
    """
    if not all(bool(part.isfinite().all()) for part in _in_parts(frames)):
        raise DataError("frames hold NaN or infinity", where=where)
    if any(stream.dtype != "uint8" for stream in features.streams):
        return
    scale_D, offset_D = (torch.from_numpy(of).float() for of in features.codes())
    span_D = 255 * scale_D
    low_D, high_D = offset_D - span_D, offset_D + 2 * span_D
    far = sum(int(((part < low_D) | (part > high_D)).sum()) for part in _in_parts(frames))
    if far > _FAR * len(frames) * frames.shape[1]:
        low, high = offset_D.min().item(), (offset_D + span_D).max().item()
        least, greatest = _extremes(frames)
        raise DataError(
            f"frames are floats from {least:.4g} to {greatest:.4g}; those that the tagger knows "
            f"are in [{low:.4g}, {high:.4g}]",
            where=where,
            hint="Stored bytes are given as uint8: .astype(numpy.uint8).",
        )


def _listed(streams: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({width})" for name, width in streams)
