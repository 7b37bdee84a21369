"""`python -m reeltag.server.project.proxy_job FILE OUT`: a copy of a video that browsers play.

H.264 and AAC in an mp4 whose index comes first. Pictures are read at a constant rate as they are
displayed, sound at 16 kHz in one channel, both as encoders get them: what is seen and heard at a
second of the copy is what the features of that second know.
"""

import math
import shutil
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from reeltag.core.console import say
from reeltag.core.errors import OutputError, ReeltagError
from reeltag.core.files import whole_file
from reeltag.encoders.base import SAMPLE_RATE
from reeltag.library.media.decoding import Decoded, DecodingConfig, Span
from reeltag.library.media.media_info import MediaInfo, MediaStream, probe
from reeltag.server.job_lines import log_progress

_LINES, _WIDTH = 720, 1280  # at most, of a picture that lies; of one that stands turned
_FPS = 30
_SOUND_ALONE_HZ = 10  # spans of a file without pictures
_SPAN_FRAMES = 16  # pictures in memory
_H264 = {"preset": "veryfast", "crf": "25", "maxrate": "4M", "bufsize": "8M"}
_AAC_BITS = 64_000
_FREE_BYTES = 500_000_000  # that copies leave on the disk, for ratings and what is computed
_FASTSTART = {"movflags": "+faststart"}


def make_proxy(source: Path, out: Path) -> Iterator[float]:
    """Write a copy that browsers play, whole or not at all; yield the seconds that are done.

    Args:
        source: of pictures, sound or both.
        out: mp4 file.

    Raises:
        MediaError: nothing of the source can be decoded.
        OutputError: the disk is almost full, or the folder cannot be written to.
    """
    info = probe(source)
    picture = info.picture
    rate = _rate(picture)
    config = DecodingConfig(
        rate_hz=float(rate),
        picture_size=None if picture is None else _size(picture),
        context_s=None if info.sound is None else 0.0,
        span_frames=_SPAN_FRAMES,
        threads=0,
    )
    with whole_file(out) as part, av.open(str(part), "w", "mp4", options=_FASTSTART) as target:
        copy = _Copy(target, info, config, rate)
        for span in Decoded(source, config, None):
            _check_room(out)
            copy.add(span)
            yield (span.first_frame + span.num_frames) / float(rate)
        copy.finish()


def _check_room(out: Path) -> None:
    """Raise OutputError where the disk is almost full."""
    if shutil.disk_usage(out.parent).free < _FREE_BYTES:
        raise OutputError(
            "the disk is almost full",
            where=out,
            hint="Free some space: copies leave the rest for ratings and what is computed.",
        )


class _Copy:
    """What is written: a stream of pictures, of sound, or both."""

    def __init__(
        self, target: OutputContainer, info: MediaInfo, config: DecodingConfig, rate: Fraction
    ) -> None:
        self._target, self._rate = target, rate
        self._video: VideoStream | None = None
        self._audio: AudioStream | None = None
        self._samples = 0
        if config.picture_size is not None:
            self._video = target.add_stream("libx264", rate=rate, options=_H264)
            self._video.height, self._video.width = config.picture_size
            self._video.pix_fmt = "yuv420p"
            self._video.codec_context.gop_size = math.ceil(rate)  # a second: seeking is exact
        if info.sound is not None:
            self._audio = target.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
            self._audio.bit_rate = _AAC_BITS

    def add(self, span: Span) -> None:
        """Write a span."""
        if self._audio is not None and len(span.sound):
            sound = av.AudioFrame.from_ndarray(span.sound[None], "flt", "mono")
            sound.sample_rate, sound.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
            sound.pts = self._samples
            self._samples += len(span.sound)
            self._target.mux(self._audio.encode(sound))
        if self._video is not None:
            for number, picture in enumerate(span.pictures, start=span.first_frame):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
                frame.pts, frame.time_base = number, 1 / self._rate
                self._target.mux(self._video.encode(frame))

    def finish(self) -> None:
        """Write what encoders hold back."""
        for stream in (self._audio, self._video):
            if stream is not None:
                self._target.mux(stream.encode(None))


def _rate(picture: MediaStream | None) -> Fraction:
    """Return the pictures per second of the copy."""
    if picture is None:
        return Fraction(_SOUND_ALONE_HZ)
    fps = Fraction(picture.fps or 25).limit_denominator(1001)
    return min(max(fps, Fraction(1)), Fraction(_FPS))


def _size(picture: MediaStream) -> tuple[int, int]:
    """Return height and width of the copy: even, at most 720 lines, turned where it stands.

    >>> _size(MediaStream(kind="picture", index=0, codec="hevc", width=3840, height=2160))
    (720, 1280)
    >>> _size(MediaStream(kind="picture", index=0, codec="hevc", width=607, height=1081))
    (1080, 606)
    """
    width, height = picture.width or 2, picture.height or 2
    short, long = sorted((width, height))
    scale = min(1.0, _LINES / short, _WIDTH / long)
    return tuple(max(2, int(of * scale) // 2 * 2) for of in (height, width))  # type: ignore[return-value]


def main(arguments: list[str]) -> int:
    """Make a copy; progress and errors are printed on stderr. The exit status is 0 or 2."""
    source, out = map(Path, arguments)
    try:
        duration = probe(source).duration_s or math.inf
        for seconds in make_proxy(source, out):
            log_progress(min(1.0, seconds / duration), f"{seconds:.0f} s")
    except ReeltagError as error:
        say(f"error: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
