"""Pictures and sound of a file at the pace of features, in one pass.

    decoded = read_spans(path, rate_hz=1.0, picture_size=(224, 224), context_s=0.0)
    for span in decoded:
        span.pictures, span.sound
    decoded.error

Frame k covers [k / rate, (k + 1) / rate) seconds of presentation time, and 0 s is what a player
shows first: the least time stamp at which a stream starts. Its picture is the one on display at
the middle of the frame. The longest stream says how many frames there are; where another has
nothing is a mask. Errors midway do not end it: what cannot be decoded is left out and told.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from reeltag.encoders.base import Fit, first_sample, span_samples
from reeltag.library.media.demuxing import PacketReader
from reeltag.library.media.media_info import MediaError, MediaInfo
from reeltag.library.media.opening import AnyStream, OpenMedia, open_media
from reeltag.library.media.pictures import PictureAges, PictureTrack
from reeltag.library.media.previews import Previews
from reeltag.library.media.scaling import Scaler
from reeltag.library.media.sound import SoundTrack
from reeltag.library.media.timeline import Clock, num_frames

_SHORT_S = 1.0  # by how much a file or stream may be shorter than it says
_NOT_AT_ITS_END = "was not read to its end"


@dataclass(frozen=True)
class Span:
    """Consecutive frames of a file.

    Attributes:
        first_frame: number of the first in its file.
        pictures: (n, H, W, 3) RGB; zeros where there is none; (n, 0, 0, 3) if not wanted.
        has_picture: (n,) whether there is a picture.
        sound: (S,) 16 kHz mono, of `encoders.span_samples`; (0,) if not wanted.
        has_sound: (n,) whether at least 1 ms of the frame has sound.
    """

    first_frame: int
    pictures: NDArray[np.uint8]
    has_picture: NDArray[np.bool_]
    sound: NDArray[np.float32]
    has_sound: NDArray[np.bool_]

    @property
    def num_frames(self) -> int:
        """Frames in the span."""
        return len(self.has_picture)


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How a file is read; see `read_spans`."""

    rate_hz: float
    picture_size: tuple[int, int] | None
    fit: Fit = "stretch"
    context_s: float | None
    span_frames: int = 64
    quick: bool = False
    threads: int = 1
    """Of the picture decoder; 0 = one per core."""


class Decoded(Iterator[Span]):
    """The spans of a file, and after the last one what can be said of it.

    Args:
        path: of the file.
        config: how it is read.
        previews: filled on the way.

    Attributes:
        num_frames: frames that were yielded.
        duration_s: seconds of the longest stream that were decoded.
        error: what could not be decoded, in one line; "" = nothing, and its end was reached.
        picture_ages: if quick, how much older than their time pictures are.
    """

    def __init__(self, path: Path, config: DecodingConfig, previews: Previews | None) -> None:
        self._path, self._config, self._previews = path, config, previews
        self._info: MediaInfo | None = None
        self._spans = self._read()
        self.num_frames, self.duration_s, self.error = 0, 0.0, _NOT_AT_ITS_END
        self.picture_ages = PictureAges()

    def __next__(self) -> Span:
        return next(self._spans)

    def close(self) -> None:
        """Close the file before its end."""
        self._spans.close()

    @property
    def info(self) -> MediaInfo:
        """What is in the file; known from the first span on."""
        if self._info is None:
            raise ValueError("no span was read yet")
        return self._info

    def _read(self) -> Generator[Span, None, None]:
        with open_media(self._path) as media:
            used = [of.index for of in (media.video, media.audio) if of is not None]
            with PacketReader(self._path, media.container, used) as reader:
                tracks = self._tracks(media, reader)
                for span in _spans(tracks, self._config):
                    if self._info is None:
                        self._info = media.info(tracks.first_picture)
                    if self._previews is not None and self._config.picture_size is not None:
                        self._previews.compare(span.pictures)
                    self.num_frames += span.num_frames
                    yield span
                self._conclude(media, tracks, reader.error)

    def _tracks(self, media: OpenMedia, reader: PacketReader) -> "_Tracks":
        config, previews = self._config, self._previews

        def clock(stream: AnyStream, back_s: int = 1) -> Clock:
            base = stream.time_base or Fraction(1, 1000)
            return Clock(base, media.start, media.limit, back_s)

        pictures, sound, video, audio = None, None, media.video, media.audio
        if video is not None:
            size, pixel_aspect = config.picture_size, video.sample_aspect_ratio
            if previews is not None:
                previews.begin(media.duration, pixel_aspect, quick=config.quick)
            pictures = PictureTrack(
                reader,
                video,
                partial(clock, video),
                config.rate_hz,
                scaler=None if size is None else Scaler(size, config.fit, pixel_aspect),
                look=None if previews is None else previews.look,
                threads=config.threads,
                quick=config.quick,
            )
            self.picture_ages = pictures.ages
        if audio is not None:
            sound = SoundTrack(
                reader,
                audio,
                clock(audio),
                said_end=media.said_end(audio),
                listen=None if previews is None else previews.listen,
                is_wanted=config.context_s is not None or previews is not None,
            )
        return _Tracks(pictures, sound)

    def _conclude(self, media: OpenMedia, tracks: "_Tracks", read_error: str) -> None:
        self.duration_s = float(tracks.end)
        claimed = 0.0 if media.duration is None else float(media.duration)
        is_short = claimed - self.duration_s > _SHORT_S
        parts = []
        both = (("picture", tracks.pictures, media.video), ("sound", tracks.sound, media.audio))
        for kind, track, stream in both:
            if track is None or stream is None:
                continue
            if track.errors.count:
                errors = track.errors
                packets = f"{errors.count} packet{'s' * (errors.count > 1)} of {kind}"
                where = f"the first at {errors.first_s:.1f} s"
                parts.append(f"{packets} not decoded, {where} ({errors.reason})")
            end, said = float(track.end), min(float(media.said_end(stream) or 0), claimed)
            if said - end > _SHORT_S and not is_short:
                parts.append(f"{kind} ends after {end:.1f} of {said:.1f} s")
        if is_short:
            parts.append(f"ends after {self.duration_s:.1f} of {claimed:.1f} s")
        if read_error:
            parts.append(f"reading ended with an error ({read_error})")
        self.error = "; ".join(parts)
        if not self.num_frames:
            what = f"nothing of it can be decoded ({self.error or 'it has no packets'})"
            raise MediaError(what, where=self._path)


@dataclass(frozen=True)
class _Tracks:
    """What a file has."""

    pictures: PictureTrack | None
    sound: SoundTrack | None

    @property
    def end(self) -> Fraction:
        """Seconds to the end of the longest one."""
        return max(track.end for track in (self.pictures, self.sound) if track is not None)

    @property
    def first_picture(self) -> VideoFrame | None:
        """The first picture that was decoded."""
        return None if self.pictures is None else self.pictures.first

    def has(self, frame: int, rate_hz: float) -> bool:
        """Return whether a file has this frame, after it was asked for."""
        both = (self.pictures, self.sound)
        is_finished = all(track is None or track.is_finished for track in both)
        return not is_finished or frame < num_frames(self.end, rate_hz)


def read_spans(
    path: Path,
    *,
    rate_hz: float,
    picture_size: tuple[int, int] | None,
    fit: Fit = "stretch",
    context_s: float | None,
    span_frames: int = 64,
    quick: bool = False,
    previews: Previews | None = None,
) -> Decoded:
    """Return the spans of a file, to be iterated once; its packets are decoded once each.

    Args:
        path: of the file.
        rate_hz: frames per second.
        picture_size: (height, width); None = pictures are not wanted.
        fit: how a picture is brought to that size, see `Scaler`.
        context_s: seconds of sound before and after a span; None = sound is not wanted.
        span_frames: frames in a span, at most.
        quick: decode key frames only; each frame shows the last one before its middle.
        previews: filled on the way.

    Raises:
        MediaError: while iterating: the file cannot be opened, or nothing of it be decoded.
    """
    config = DecodingConfig(
        rate_hz=rate_hz,
        picture_size=picture_size,
        fit=fit,
        context_s=context_s,
        span_frames=span_frames,
        quick=quick,
    )
    return Decoded(path, config, previews)


def _spans(tracks: _Tracks, config: DecodingConfig) -> Iterator[Span]:
    """Yield the spans of a file."""
    size = config.picture_size or (0, 0)
    rate, first, is_going_on = config.rate_hz, 0, True
    while is_going_on:
        pictures = np.zeros((config.span_frames, *size, 3), np.uint8)
        has_picture = np.zeros(config.span_frames, bool)
        has_sound = np.zeros(config.span_frames, bool)
        number = 0
        while number < config.span_frames:
            frame = first + number
            picture = None if tracks.pictures is None else tracks.pictures.at(frame)
            if tracks.sound is not None:
                tracks.sound.advance(first_sample(frame + 1, rate))
            is_going_on = tracks.has(frame, rate)
            if not is_going_on:
                break
            if picture is not None:
                pictures[number], has_picture[number] = picture, True
            if tracks.sound is not None:
                samples = first_sample(frame, rate), first_sample(frame + 1, rate)
                has_sound[number] = tracks.sound.is_heard(*samples)
            number += 1
        if number:
            sound = np.zeros(0, np.float32)
            if config.context_s is not None:
                start, stop = span_samples(first, number, rate, config.context_s)
                sound = np.zeros(stop - start, np.float32)
                if tracks.sound is not None:
                    sound = tracks.sound.read(start, stop)
            yield Span(first, pictures[:number], has_picture[:number], sound, has_sound[:number])
        first += number
