"""Tiny films of every kind, made by PyAV, and the plain way to read them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

SIZE = (64, 48)
FPS, RATE = 10, 24_000
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1", 16: "hexadecagonal"}
OPTIONS = {  # x264's AVX-512 code does not give the same film twice
    "libx264": {"crf": "20", "preset": "veryfast", "x264-params": "asm=sse42"},
    "libvpx-vp9": {"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "8"},
    "mpeg4": {"qscale": "4"},
    "ffv1": {},
}


def moving(number: int, size: tuple[int, int] = SIZE, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Return pictures whose brightness tells their number, with a corner that is red."""
    rng = np.random.default_rng(seed)
    pictures = []
    for of in range(number):
        picture = np.full((size[1], size[0], 3), 40 + 170 * of // max(number - 1, 1), np.uint8)
        picture += rng.integers(0, 12, picture.shape, np.uint8)
        picture[: size[1] // 3, : size[0] // 3] = (220, 30, 30)
        pictures.append(picture)
    return pictures


def tone(seconds: float, rate: int = RATE, hz: float = 440.0) -> NDArray[np.float32]:
    """Return a sound that grows louder."""
    time = np.arange(round(seconds * rate)) / rate
    return (np.sin(2 * np.pi * hz * time) * (0.1 + 0.6 * time / seconds)).astype(np.float32)


@dataclass(kw_only=True)
class TinyFilm:
    """How a film is written; tracks are (N,) or (channels, N) in [-1, 1]."""

    pictures: Sequence[NDArray[np.uint8]] = field(default_factory=lambda: moving(60))
    tracks: Sequence[NDArray[np.float32]] = field(default_factory=lambda: [tone(6.0)])
    fps: int = FPS
    times: Sequence[float] | None = None
    start: float = 0.0
    sound_starts: float = 0.0
    video: str = "libx264"
    pixels: str = "yuv420p"
    audio: str = "aac"
    rate: int = RATE
    rotation: int = 0
    gop: int = 20
    options: dict[str, str] = field(default_factory=dict)
    codec: dict[str, str] = field(default_factory=dict)
    file_format: str | None = None
    interlaced: bool = False

    def write(self, path: Path) -> Path:
        options = {"fflags": "+bitexact", **self.options}
        with av.open(str(path), "w", format=self.file_format, options=options) as out:
            encoders = [*self._pictures(out), *self._sounds(out)]
            packets = [packet for encode in encoders for packet in encode]
            for packet in sorted(packets, key=lambda of: of.dts * of.time_base):
                out.mux(packet)
        return path

    def _pictures(self, out: Any) -> Iterable[Iterable[Any]]:
        if not self.pictures:
            return
        height, width, _ = self.pictures[0].shape
        stream = out.add_stream(self.video, rate=self.fps, options=OPTIONS[self.video] | self.codec)
        stream.width, stream.height, stream.pix_fmt = width, height, self.pixels
        context = stream.codec_context
        context.gop_size, context.thread_count = self.gop, 1
        base = context.time_base = Fraction(1, 1000) if self.times else Fraction(1, self.fps)
        if self.rotation:
            stream.set_display_rotation(self.rotation)
        yield self._encoded_pictures(stream, base)

    def _encoded_pictures(self, stream: Any, base: Fraction) -> Iterable[Any]:
        for number, picture in enumerate(self.pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=self.pixels)
            time = self.times[number] if self.times else number / self.fps
            frame.pts, frame.time_base = round((time + self.start) / base), base
            yield from stream.encode(frame)
        yield from stream.encode(None)

    def _sounds(self, out: Any) -> Iterable[Iterable[Any]]:
        for track in self.tracks:
            channels = np.atleast_2d(track)
            layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1", 16: "hexadecagonal"}[
                len(channels)
            ]
            stream = out.add_stream(self.audio, rate=self.rate, layout=layout)
            yield self._encoded_sound(stream, channels, layout)

    def _encoded_sound(self, stream: Any, channels: Any, layout: str) -> Iterable[Any]:
        kind = {"pcm_s16le": "s16", "pcm_u8": "u8"}.get(self.audio, "flt")
        values = channels.T.reshape(1, -1)
        if kind == "s16":
            values = (values * 32767).astype(np.int16)
        if kind == "u8":
            values = (values * 127 + 128).astype(np.uint8)
        begin = round((self.start + self.sound_starts) * self.rate)
        step = self.rate // 10
        for first in range(0, channels.shape[1], step):
            part = values[:, first * len(channels) : (first + step) * len(channels)]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), kind, layout)
            frame.sample_rate, frame.time_base = self.rate, Fraction(1, self.rate)
            frame.pts = begin + first
            yield from stream.encode(frame)
        yield from stream.encode(None)


def decoded_pictures(path: Path, until: float = math.inf) -> list[tuple[Fraction, Any]]:
    """Return (time stamp, frame) of all pictures, or of those up to a time stamp."""
    pictures = []
    with av.open(str(path)) as source:
        for frame in source.decode(video=0):
            pictures.append((stamp(frame), frame))
            if stamp(frame) > until:
                break
    return pictures


def stamp(of: Any) -> Fraction:
    """Return the time stamp of a frame or packet in seconds."""
    return Fraction(of.pts * of.time_base)


def decoded_sound(path: Path) -> tuple[NDArray[np.float32], int]:
    """Return all samples, channels mixed, and their rate."""
    with av.open(str(path)) as source:
        frames = list(source.decode(audio=0))
    parts = []
    for frame in frames:
        kind = (frame.format.packed.name, frame.layout.name, frame.sample_rate)
        (frame,) = av.AudioResampler(*kind).resample(frame)
        values = frame.to_ndarray().astype(np.float64).reshape(-1, frame.layout.nb_channels).T
        scale, middle = {"s16": (2**15, 0), "u8": (2**7, 2**7)}.get(frame.format.name, (1, 0))
        parts.append((values.mean(0) - middle) / scale)
    return np.concatenate(parts).astype(np.float32), frames[0].sample_rate


def resampled(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return sound at 16 kHz by one call."""
    return np.asarray(soxr.resample(samples, rate, 16_000, quality="HQ"), np.float32)
