"""Features of one video on their way into a shard: two files of the folder of parts.

    CONTENT.frames   float32 frames (T, D), streams side by side; grows while a video is decoded
    CONTENT.json     what they are; written last: without it there is no part

A part of other encoders, another rate or version (`how`) is none.
"""

import json
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.files import put, write_json
from reeltag.core.parts import new_part
from reeltag.core.writing import make_folder, writing
from reeltag.encoders.base import Float32

Ranges = list[tuple[int, int]]  # of frames, [first, end)
_ITEM = 4  # bytes of a value


@dataclass(frozen=True, kw_only=True)
class FeaturePart:
    """The features of one video.

    Attributes:
        path: of the frames.
        how: hash of what they depend on besides the video.
        width: D.
        num_frames: T, at least 1.
        missing: stream -> frames without it.
        note: what a person should know, such as where decoding failed; "" = nothing.
        about: what is known of the file: duration, container, streams.
    """

    path: Path
    how: str
    width: int
    num_frames: int
    missing: dict[str, Ranges]
    note: str
    about: dict[str, Any] = field(default_factory=dict)

    def frames(self) -> NDArray[np.float32]:
        """Return the frames (T, D), mapped into memory; DataError where they are gone."""
        try:
            return np.memmap(self.path, "<f4", mode="r", shape=(self.num_frames, self.width))
        except (OSError, ValueError) as error:
            hint = "Run the extraction again."
            raise DataError("has changed or is gone", where=self.path, hint=hint) from error

    def has(self, stream: str) -> NDArray[np.bool_]:
        """Return (T,) which frames have a stream."""
        has = np.ones(self.num_frames, bool)
        for first, end in self.missing.get(stream, []):
            has[first:end] = False
        return has

    def remove(self) -> None:
        """Remove its files."""
        description(self.path).unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


class FeaturePartWriter:
    """Write the features of one video, span by span; nothing is left of it after an error.

    Args:
        folder: of the parts.
        key: content id of the video.
        streams: names and widths, in order.
        how: hash of what the features depend on besides the video.
    """

    def __init__(
        self, folder: Path, key: str, streams: Sequence[tuple[str, int]], how: str
    ) -> None:
        self._path = frames_path(folder, key)
        self._streams, self._how = streams, how
        self._num_frames, self._missing = 0, {name: Ranges() for name, _ in streams}
        self._part: Path | None = None
        self._file: BinaryIO | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open the file of the frames; OutputError where that cannot be."""
        make_folder(self._path.parent)
        with writing(self._path), ExitStack() as stack:
            description(self._path).unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)
            part = stack.enter_context(new_part(self._path))
            self._part, self._file = part, part.open("wb")
            stack.callback(self._close)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file; remove it where `finish` was not reached."""
        self._stack.close()

    def add(self, frames_TD: Float32, has_TS: NDArray[np.bool_]) -> None:
        """Append frames, and which of the streams each of them has.

        DataError where a value is not finite; OutputError where it cannot be written.
        """
        assert self._file is not None
        if not np.isfinite(frames_TD).all():
            raise DataError("the encoder gave features that are not finite")
        with writing(self._path):
            self._file.write(np.ascontiguousarray(frames_TD, "<f4").data)
        for column, (name, _) in enumerate(self._streams):
            for at in np.flatnonzero(~has_TS[:, column]).tolist():
                frame, ranges = self._num_frames + at, self._missing[name]
                if ranges and ranges[-1][1] == frame:
                    ranges[-1] = ranges[-1][0], frame + 1
                else:
                    ranges.append((frame, frame + 1))
        self._num_frames += len(frames_TD)

    def finish(self, note: str = "", about: dict[str, Any] | None = None) -> FeaturePart:
        """Make it whole, with what is known of the file; DataError for a video without frames."""
        assert self._file is not None and self._part is not None
        if not self._num_frames:
            raise DataError("has no frames")
        with writing(self._path):
            self._file.flush()
            put(self._part, self._path)
        part = FeaturePart(
            path=self._path,
            how=self._how,
            width=sum(width for _, width in self._streams),
            num_frames=self._num_frames,
            missing={name: ranges for name, ranges in self._missing.items() if ranges},
            note=note,
            about=about or {},
        )
        write_json(description(self._path), asdict(part) | {"path": self._path.name})
        return part

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # of a full disk: it was raised when written
                self._file.close()


def find_part(folder: Path, key: str, how: str) -> FeaturePart | None:
    """Return the finished part of a video; None where there is none of these encoders and rate.

    Args:
        folder: of the parts.
        key: content id of the video.
        how: as it was written.
    """
    path = frames_path(folder, key)
    try:
        stored = json.loads(description(path).read_text(encoding="utf-8"))
        missing = {name: [(a, b) for a, b in ranges] for name, ranges in stored["missing"].items()}
        part = FeaturePart(**{**stored, "path": path, "missing": missing})
        whole = path.stat().st_size == part.num_frames * part.width * _ITEM
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return part if whole and part.how == how else None


def frames_path(folder: Path, key: str) -> Path:
    """Return where the frames of a video are."""
    return folder / f"{key}.frames"


def description(frames: Path) -> Path:
    """Return where it is said what the frames are."""
    return frames.with_suffix(".json")
