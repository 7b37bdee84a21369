"""Open a media file: the streams that are decoded, when it starts, what is wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias, TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reeltag.core.errors import reason_of
from reeltag.library.media.media_info import MediaError, MediaInfo, MediaStream
from reeltag.library.media.scaling import Orientation, displayed_size, orientation_of
from reeltag.library.media.sniffing import is_encrypted, kind_of, lacks_index, read_head

AnyStream: TypeAlias = VideoStream | AudioStream
S = TypeVar("S", VideoStream, AudioStream)

_PROBED_PACKETS = 500  # at most, until the first picture is decoded
_MAX_PIXELS = 2**26  # of a picture; 8K has half of it
_BYTES_PER_SECOND = 250  # the least that a long file may have for its duration to be believed
_LEAST_LIMIT_S = 6 * 3600  # whatever its size
_LONGEST_TICK_S = 10
_ENCRYPTED = ("encv", "enca", "drmi", "drms", "drmt")
_NOT_MEDIA = {
    "empty": "is empty (0 bytes)",
    "text": "is a text file, not a video",
    "playlist": "is a play list, not a video",
    "picture": "is a single picture, not a video",
}
_PICTURE_FORMATS = ("image2", "_pipe")


@dataclass(frozen=True)
class OpenMedia:
    """An open file.

    Attributes:
        path: of the file.
        container: of PyAV, at its beginning.
        start: time stamp in seconds of what a player shows at 0 s.
        duration: seconds by the container's word, where it can be believed.
        limit: seconds that it may have at most, whatever its time stamps are.
        video: the stream of pictures that is decoded.
        audio: the stream of sound that is decoded.
    """

    path: Path
    container: InputContainer
    start: Fraction
    duration: Fraction | None
    limit: Fraction
    video: VideoStream | None
    audio: AudioStream | None

    def said_end(self, stream: AnyStream) -> Fraction | None:
        """Return when a stream ends by its container's word, in seconds from the start."""
        if stream.start_time is None or not stream.duration or not stream.time_base:
            return None
        return (stream.start_time + stream.duration) * stream.time_base - self.start

    def info(self, first: VideoFrame | None) -> MediaInfo:
        """Return what is in it; `first`: a decoded picture, which alone knows how it is turned."""
        used = [stream for stream in (self.video, self.audio) if stream is not None]
        streams = tuple(
            _describe(stream, self.start, stream in used, first if stream is self.video else None)
            for stream in _streams(self.container)
        )
        return MediaInfo(
            container=self.container.format.name,
            duration_s=None if self.duration is None else float(self.duration),
            start_s=float(self.start),
            streams=streams,
            tags=dict(self.container.metadata),
        )


def look_into(path: Path) -> MediaInfo:
    """Return what is in a file, see `media_info.probe`."""
    with open_media(path) as media:
        first = None if media.video is None else _first_picture(media.container, media.video)
        return media.info(first)


@contextmanager
def open_media(path: Path) -> Iterator[OpenMedia]:
    """Open a file; MediaError, one line that says why, where it cannot be used."""
    with open_container(path) as container:
        video = _best(container, list(container.streams.video), "video")
        audio = _best(container, list(container.streams.audio), "audio")
        if video is None and audio is None:
            raise MediaError(_why_nothing(path, container), where=path)
        start = _start(container)
        limit = Fraction(max(_LEAST_LIMIT_S, path.stat().st_size // _BYTES_PER_SECOND))
        duration = _duration(container, start)
        if duration is not None and duration > limit:
            duration = None
        yield OpenMedia(path, container, start, duration, duration or limit, video, audio)


@contextmanager
def open_container(path: Path) -> Iterator[InputContainer]:
    """Open a file with PyAV; MediaError where it is none or cannot be read."""
    try:
        kind = kind_of(read_head(path))
        if kind in _NOT_MEDIA:
            raise MediaError(_NOT_MEDIA[kind], where=path)
        container = av.open(str(path.absolute()), "r", metadata_errors="replace")
    except av.FFmpegError as error:
        raise MediaError(_why_not_open(path, error), where=path) from error
    except OSError as error:
        raise MediaError(f"cannot be read ({reason_of(error)})", where=path) from error
    with container:
        if any(name in container.format.name for name in _PICTURE_FORMATS):
            raise MediaError(_NOT_MEDIA["picture"], where=path)
        yield container


def _why_not_open(path: Path, error: av.FFmpegError) -> str:
    if lacks_index(path):
        return "is cut off before its index (it has no moov box); the recording never ended"
    return f"is no video or sound file that can be opened ({error.strerror or error})"


def _streams(container: InputContainer) -> list[AnyStream]:
    """Return the streams of pictures and sound, without attached pictures, in their order."""
    streams: list[AnyStream] = [*container.streams.video, *container.streams.audio]
    attached = Disposition.attached_pic | Disposition.timed_thumbnails
    return sorted((of for of in streams if not of.disposition & attached), key=lambda of: of.index)


def _best(container: InputContainer, streams: list[S], kind: str) -> S | None:
    """Return the stream that a player plays, of those that can be decoded."""
    usable = [of for of in streams if of in _streams(container) and not _problem(of)]
    best = container.streams.best("video" if kind == "video" else "audio")
    return next((of for of in usable if of is best), usable[0] if usable else None)


def _problem(stream: AnyStream) -> str:
    """Return why a stream cannot be decoded, "" = it can."""
    try:
        tag = stream.codec_tag if stream.codec_context else ""
    except UnicodeDecodeError:  # bytes that are no letters
        tag = ""
    if tag.strip("\0 ") in _ENCRYPTED:
        return "it is encrypted"
    if stream.codec_context is None:
        return "its codec is unknown"
    if not stream.time_base or stream.time_base > _LONGEST_TICK_S:
        return "its time stamps are broken"
    if isinstance(stream, VideoStream) and stream.width * stream.height > _MAX_PIXELS:
        return f"its pictures are too large ({stream.width} x {stream.height})"
    return ""


def _why_nothing(path: Path, container: InputContainer) -> str:
    if is_encrypted(path):
        return "is encrypted (DRM)"
    problems = [f"{of.type} stream {of.index}: {_problem(of)}" for of in _streams(container)]
    if not problems:
        return "holds neither pictures nor sound"
    return f"holds nothing that can be decoded ({'; '.join(problems)})"


def _start(container: InputContainer) -> Fraction:
    """Return the least time stamp at which a stream starts, in seconds."""
    starts = [
        of.start_time * of.time_base
        for of in _streams(container)
        if of.start_time is not None and of.time_base
    ]
    if starts:
        return min(starts)
    return Fraction(container.start_time or 0, av.time_base)


def _duration(container: InputContainer, start: Fraction) -> Fraction | None:
    """Return the seconds that the container says it has; None = it does not say."""
    if container.duration is None or container.duration <= 0:
        return None
    duration = Fraction(container.duration, av.time_base)
    if "matroska" in container.format.name and 0 < start < duration:
        duration -= start  # Matroska counts it from time stamp 0
    return duration


def _describe(
    stream: AnyStream, start: Fraction, is_used: bool, first: VideoFrame | None
) -> MediaStream:
    """Return what is known of a stream; `first`: a decoded picture of it."""
    base = stream.time_base or Fraction(0)
    common = MediaStream(
        kind="picture" if isinstance(stream, VideoStream) else "sound",
        index=stream.index,
        codec=stream.codec_context.name if stream.codec_context else "",
        start_s=float((stream.start_time or 0) * base - start) if stream.start_time else 0.0,
        duration_s=float(stream.duration * base) if stream.duration else None,
        is_used=is_used,
        problem=_problem(stream),
    )
    if stream.codec_context is None:
        return common
    if isinstance(stream, AudioStream):
        channels = stream.codec_context.layout.nb_channels
        return replace(common, sample_rate=stream.codec_context.sample_rate, channels=channels)
    turn = Orientation() if first is None else orientation_of(first)
    size = (stream.width, stream.height) if first is None else (first.width, first.height)
    width, height = displayed_size(*size, stream.sample_aspect_ratio, turn)
    return replace(
        common,
        width=width,
        height=height,
        rotation=turn.rotation,
        is_mirrored=turn.is_mirrored,
        fps=float(stream.average_rate) if stream.average_rate else None,
        pixel_format=first.format.name if first is not None else stream.pix_fmt or "",
        is_interlaced=first is not None and first.interlaced_frame,
    )


def _first_picture(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    """Return the first picture; None where none of the first packets gives one."""
    stream.codec_context.thread_count = 1
    try:
        for number, packet in enumerate(container.demux(stream)):
            try:
                for frame in packet.decode():
                    return frame
            except av.FFmpegError:
                continue
            if number >= _PROBED_PACKETS:
                break
    except av.FFmpegError:
        pass
    return None
