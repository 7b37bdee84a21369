"""What is in a video or sound file: container, streams, and how pictures are turned.

    info = probe(Path("holiday.mp4"))
    info.duration_s, info.picture.width, info.sound.sample_rate

Of several streams of a kind the one that a player plays is used; the others are listed. Attached
pictures, as covers of songs, are no picture stream.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from reeltag.core.errors import DataError
from reeltag.core.extras import check_extra

StreamKind = Literal["picture", "sound"]


class MediaError(DataError):
    """A file that cannot be used as a video or sound."""


@dataclass(frozen=True, kw_only=True)
class MediaStream:
    """A stream of pictures or of sound."""

    kind: StreamKind
    index: int
    """In its container."""
    codec: str
    """Name of the decoder; "" = there is none, and `problem` says why."""
    start_s: float = 0.0
    """Seconds from the start of the file to the first picture or sample."""
    duration_s: float | None = None
    """Seconds by the container's word; None = it does not say."""
    is_used: bool = False
    """Whether it is the one of its kind that is decoded."""
    problem: str = ""
    """Why it cannot be decoded."""
    width: int | None = None
    """Pixels of a picture as displayed: turned, and with square pixels."""
    height: int | None = None
    rotation: int = 0
    """Degrees by which stored pictures are turned counter-clockwise: 0, 90, 180 or 270."""
    is_mirrored: bool = False
    """Whether stored pictures are mirrored as well."""
    fps: float | None = None
    """Pictures per second, on average."""
    pixel_format: str = ""
    is_interlaced: bool = False
    sample_rate: int | None = None
    """Samples per second of sound."""
    channels: int | None = None


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """A file that holds pictures, sound or both."""

    container: str
    """Name of FFmpeg's demuxer, as "mov,mp4,m4a,3gp,3g2,mj2"."""
    duration_s: float | None
    """Seconds by the container's word; what is decoded may be less; None = it does not say."""
    start_s: float
    """Time stamp in seconds of what a player shows at 0 s."""
    streams: tuple[MediaStream, ...]
    tags: dict[str, str] = field(default_factory=dict)
    """Title and so on, as the container has them."""

    @property
    def picture(self) -> MediaStream | None:
        """The picture stream that is decoded."""
        return self._used("picture")

    @property
    def sound(self) -> MediaStream | None:
        """The sound stream that is decoded."""
        return self._used("sound")

    def _used(self, kind: StreamKind) -> MediaStream | None:
        return next((of for of in self.streams if of.kind == kind and of.is_used), None)

    @property
    def note(self) -> str:
        """What of the file is not used, in words; "" = all of it is."""
        parts = []
        for kind in ("picture", "sound"):
            spare = [of for of in self.streams if of.kind == kind and not of.is_used]
            others = sum(not of.problem for of in spare)
            if others:
                parts.append(f"{others} more {kind} stream{'s' * (others > 1)} not used")
            parts += [
                f"{kind} stream {of.index} not used: {of.problem}" for of in spare if of.problem
            ]
        return "; ".join(parts)


def info_from(values: Mapping[str, Any]) -> MediaInfo:
    """Return what is in a file by `dataclasses.asdict` of it, as from JSON."""
    streams = tuple(MediaStream(**of) for of in values["streams"])
    return MediaInfo(**{**values, "streams": streams})


def probe(path: Path) -> MediaInfo:
    """Return what is in a file; its head is read and its first picture decoded.

    Args:
        path: of a video or sound file.

    Raises:
        MediaError: it is empty, no media file, cut off before its index, holds neither pictures
            nor sound that can be decoded, or cannot be read; one line that says which.
        MissingPackageError: the extra `video` is not installed.
    """
    check_extra("video", "av")
    from reeltag.library.media.opening import look_into

    return look_into(path)
