"""Films for benchmarks: 720p H.264 and AAC whose pictures are as hard to decode as photographs.

Scenes of 5 s: smooth random colours in three sizes, panned, with film grain; the sound is noise. A
film of any length is one of 20 s, repeated packet by packet. Synthetic: no picture means anything.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS, RATE = 1280, 720, 25, 48_000
UNIT_SECONDS, SCENE_SECONDS = 20, 5
_ROOM = 160  # pixels on each side, to pan in
_GRAIN = 4.0  # deviation, of 255
_OPTIONS = {"crf": "23", "preset": "veryfast", "x264-params": "asm=sse42"}


def write_unit(path: Path) -> Path:
    """Write the film of `UNIT_SECONDS`: about 3 MB."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as out:
        video = out.add_stream("libx264", rate=FPS, options=_OPTIONS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.gop_size = SCENE_SECONDS * FPS
        video.codec_context.thread_count = 1
        audio = out.add_stream("aac", rate=RATE, layout="stereo")
        audio.bit_rate = 128_000
        for number, picture in enumerate(_pictures(rng)):
            if number % FPS == 0:
                _send_sound(out, audio, rng, number // FPS)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
        out.mux(audio.encode(None))
        out.mux(video.encode(None))
    return path


class _Stored(NamedTuple):
    """A packet: its bytes, times in ticks, seconds per tick, stream."""

    data: bytes
    pts: int
    dts: int
    duration: int
    base: Fraction
    is_key: bool
    stream: int

    @classmethod
    def of(cls, packet: "av.Packet[Any]") -> "_Stored":
        times = packet.pts or 0, packet.dts or 0, packet.duration or 0
        base = packet.time_base or Fraction(1)
        return cls(bytes(packet), *times, base, packet.is_keyframe, packet.stream_index)


def repeat_film(source: Path, target: Path, seconds: int) -> Path:
    """Write a film of at least so many seconds: the packets of another one, again and again."""
    with (
        av.open(str(source)) as film,
        av.open(str(target), "w", options={"fflags": "+bitexact"}) as out,
    ):
        streams = [film.streams.video[0], film.streams.audio[0]]
        copies = {of.index: out.add_stream_from_template(of) for of in streams}
        stored = [_Stored.of(packet) for packet in film.demux(streams) if packet.dts is not None]
        lasts = max((of.pts + of.duration) * of.base for of in stored)
        lasts -= min(of.dts * of.base for of in stored)
        for number in range(math.ceil(seconds / lasts)):
            for of in stored:
                shift = math.ceil(number * lasts / of.base)
                packet = av.Packet(of.data)
                packet.time_base, packet.stream = of.base, copies[of.stream]
                packet.pts, packet.dts = of.pts + shift, of.dts + shift
                packet.duration, packet.is_keyframe = of.duration, of.is_key
                out.mux(packet)
    return target


def _pictures(rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    size = HEIGHT + 2 * _ROOM, WIDTH + 2 * _ROOM
    grain = [rng.normal(0, _GRAIN, (HEIGHT, WIDTH, 1)).astype(np.float32) for _ in range(5)]
    for _ in range(UNIT_SECONDS // SCENE_SECONDS):
        scene = _scene(rng, size)
        speed = rng.uniform(-1, 1, 2)
        for number in range(SCENE_SECONDS * FPS):
            top, left = (_ROOM + speed * number).astype(int)
            view = scene[top : top + HEIGHT, left : left + WIDTH]
            yield np.clip(view + grain[number % 5], 0, 255).astype(np.uint8)


def _scene(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return smooth random colours (height, width, 3) around 128."""
    scene = np.full((*size, 3), 128, np.float32)
    for step in (8, 32, 128):
        coarse = rng.normal(0, 4 * math.sqrt(step), (size[0] // step + 2, size[1] // step + 2, 3))
        for axis in (0, 1):  # linear between the points
            places = np.arange(size[axis]) / step
            low = places.astype(int)
            part = (places - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
            coarse = (1 - part) * coarse.take(low, axis) + part * coarse.take(low + 1, axis)
        scene += coarse.astype(np.float32)
    return scene


def _send_sound(
    out: av.container.OutputContainer, stream: AudioStream, rng: np.random.Generator, second: int
) -> None:
    """Encode a second of noise."""
    samples = rng.normal(0, 0.1, (2, RATE)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
    frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), second * RATE
    out.mux(stream.encode(frame))
