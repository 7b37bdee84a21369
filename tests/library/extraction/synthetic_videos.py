"""Video and sound files of a few seconds in plain colours and tones, for tests."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from reeltag.library.synth.film_encoding import FPS, RATE, SIZE, encode_film


def write_film(path: Path, greys: Sequence[int], level: float = 0.1) -> Path:
    """Write an mp4 of a second per grey, with a tone of this amplitude."""
    pictures = [np.full((*SIZE[::-1], 3), grey, np.uint8) for grey in greys for _ in range(FPS)]
    times = np.arange(len(greys) * RATE) / RATE
    encode_film(path, pictures, (level * np.sin(2 * np.pi * 500 * times)).astype(np.float32))
    return path


def write_silent_film(path: Path, greys: Sequence[int]) -> Path:
    """Write an mp4 of a second per grey, without a sound stream."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for grey in greys:
            for _ in range(FPS):
                picture = np.full((48, 64, 3), grey, np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(stream.encode(None))
    return path


def write_sound(path: Path, seconds: float, level: float = 0.1) -> Path:
    """Write a wav or flac file of a tone."""
    times = np.arange(round(seconds * 16_000)) / 16_000
    samples = (level * 32_767 * np.sin(2 * np.pi * 500 * times)).astype(np.int16)
    with av.open(str(path), "w") as out:
        stream = (
            out.add_stream("flac", rate=16_000, layout="mono")
            if path.suffix == ".flac"
            else out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        )
        frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
        frame.sample_rate = 16_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
