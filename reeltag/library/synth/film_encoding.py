"""Write pictures and a sound into an mp4 file: H.264 and AAC, the same bytes each time."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

FPS = 10
RATE = 24_000  # samples/s
SIZE = (256, 192)
# x264's AVX-512 code, as in PyAV's wheels, writes another file each time; its SSE code does not
_H264 = {"crf": "33", "preset": "superfast", "x264-params": "asm=sse42"}
_CONTAINER = {"fflags": "+bitexact", "movflags": "+faststart"}


def encode_film(
    path: Path, pictures: Iterable[NDArray[np.uint8]], sound: NDArray[np.float32]
) -> None:
    """Write a film; the container knows its format by the ending of its name.

    Args:
        path: of the file, which is replaced.
        pictures: (height, width, 3) uint8, `FPS` of them a second.
        sound: (N,) in [-1, 1] at `RATE`; it is written a second ahead of the pictures.
    """
    with av.open(str(path), "w", options=_CONTAINER) as out:
        video = out.add_stream("libx264", rate=FPS, options=_H264)
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        video.codec_context.gop_size = 4 * FPS
        video.codec_context.thread_count = 1
        audio = out.add_stream("aac", rate=RATE, layout="mono", options={"aac_coder": "fast"})
        audio.bit_rate = 48_000
        sent = 0
        for number, picture in enumerate(pictures):
            if number % FPS == 0:
                sent = _send_sound(out, audio, sound, sent, (number // FPS + 1) * RATE)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
        _send_sound(out, audio, sound, sent, len(sound))
        out.mux(audio.encode(None))
        out.mux(video.encode(None))


def _send_sound(
    out: av.container.OutputContainer,
    stream: AudioStream,
    sound: NDArray[np.float32],
    first: int,
    stop: int,
) -> int:
    """Encode samples [first, stop) as far as there are any; return where the next begin."""
    part = sound[first:stop]
    if len(part):
        frame = av.AudioFrame.from_ndarray(part[None], "flt", "mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), first
        out.mux(stream.encode(frame))
    return first + len(part)
