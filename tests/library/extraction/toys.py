"""Small encoders and synthetic spans for tests: mean colour, loudness."""

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reeltag.data.features import EncoderIdentity
from reeltag.encoders import EncoderInfo, PictureEncoder, SoundEncoder
from reeltag.encoders.base import Float32, first_sample, span_samples
from tests.processes import wait_until

COLOUR, LOUDNESS = (f"tests.library.extraction.toys:{name}" for name in ("MeanColour", "Loudness"))
GATE = "REELTAG_TEST_GATE"


class MeanColour(PictureEncoder):
    """Red, green, blue."""

    info = EncoderInfo(name="mean_colour", kind="picture", width=3)
    identity = EncoderIdentity(name="mean_colour", version="1")
    width, size = 3, (8, 8)
    encoded: ClassVar[list[int]] = []  # pictures of each call

    def encode(self, pictures_NHWC: NDArray[np.uint8]) -> Float32:
        self.encoded.append(len(pictures_NHWC))
        colours: Float32 = pictures_NHWC.mean((1, 2), dtype=np.float32)
        return colours


class Loudness(SoundEncoder):
    """Logarithm of the mean square, and the largest sample."""

    info = EncoderInfo(name="loudness", kind="sound", width=2)
    identity = EncoderIdentity(name="loudness", version="1")
    width = 2

    def encode(
        self, sound_N: Float32, num_frames: int, rate_hz: float, first_frame: int = 0
    ) -> Float32:
        start = first_sample(first_frame, rate_hz)
        edges = [first_sample(first_frame + k, rate_hz) - start for k in range(num_frames + 1)]
        parts = [sound_N[a:b] for a, b in pairwise(edges)]
        rows = [(np.log(np.square(part).mean() + 1e-4), np.abs(part).max()) for part in parts]
        return np.array(rows, np.float32)


@dataclass(frozen=True)
class SyntheticSpan:
    first_frame: int
    pictures: NDArray[np.uint8]
    has_picture: NDArray[np.bool_]
    sound: Float32
    has_sound: NDArray[np.bool_]


def synthetic_spans(
    colours: Sequence[int | None], loudness: Sequence[float | None], size: int = 4
) -> Iterator[SyntheticSpan]:
    """Yield spans of so many frames: a grey picture and a constant sound each, None = missing."""
    for first in range(0, len(colours), size):
        grey = colours[first : first + size]
        levels = loudness[first : first + size]
        pictures = np.stack([np.full((8, 8, 3), value or 0, np.uint8) for value in grey])
        start, end = span_samples(first, len(grey), 1.0, 0.0)
        sound = np.repeat([value or 0.0 for value in levels], 16_000).astype(np.float32)
        assert len(sound) == end - start
        yield SyntheticSpan(
            first,
            pictures,
            np.array([value is not None for value in grey]),
            sound,
            np.array([value is not None for value in levels]),
        )


class FatalColour(MeanColour):
    """Crashes at a white picture that comes first, hangs at one that comes later."""

    info = EncoderInfo(name="fatal_colour", kind="picture", width=3)

    def encode(self, pictures_NHWC: NDArray[np.uint8]) -> Float32:
        if pictures_NHWC[0].mean() > 250:
            os.kill(os.getpid(), signal.SIGSEGV)
        if pictures_NHWC.mean((1, 2, 3)).max() > 250:
            signal.pause()
        return super().encode(pictures_NHWC)


class GatedColour(MeanColour):
    """Waits from its third span on, in each process, for the file that the variable GATE names."""

    _spans = 0

    def encode(self, pictures_NHWC: NDArray[np.uint8]) -> Float32:
        GatedColour._spans += 1
        if GatedColour._spans > 2:
            wait_until(Path(os.environ[GATE]).exists)
        return super().encode(pictures_NHWC)
