"""How fast an encoder is here, on made pictures, sound or texts."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reeltag.encoders.base import (
    Encoder,
    PictureEncoder,
    SoundEncoder,
    TextEncoder,
    span_samples,
)

_PICTURES, _SECONDS, _TEXTS = 32, 60, 32
_ROUNDS = 3


@dataclass(frozen=True)
class EncoderSpeed:
    """Speed of an encoder.

    Attributes:
        per_second: pictures, seconds of sound, or texts that are encoded in a second.
        unit: "pictures/s", "x real time" or "texts/s".
    """

    per_second: float
    unit: str


def measure_speed(encoder: Encoder, *, number: int | None = None) -> EncoderSpeed:
    """Return the speed of an encoder: the best of three rounds after one to warm up.

    Args:
        encoder: loaded.
        number: pictures, seconds of sound at 1 frame/s, or texts of a round; None: enough for a
            figure that can be repeated.
    """
    rng = np.random.default_rng(0)
    if isinstance(encoder, PictureEncoder):
        count, unit = number or _PICTURES, "pictures/s"
        pictures = rng.integers(0, 256, (count, *encoder.size, 3)).astype(np.uint8)
        seconds = _best(lambda: encoder.encode(pictures))
    elif isinstance(encoder, SoundEncoder):
        count, unit = number or _SECONDS, "x real time"
        start, end = span_samples(0, count, 1.0, encoder.context_s)
        sound = rng.normal(0, 0.1, end - start).astype(np.float32)
        seconds = _best(lambda: encoder.encode(sound, count, 1.0))
    else:
        assert isinstance(encoder, TextEncoder)
        count, unit = number or _TEXTS, "texts/s"
        texts = [f"a dog and {at} people" for at in range(count)]
        seconds = _best(lambda: encoder.encode(texts))
    return EncoderSpeed(count / max(seconds, 1e-9), unit)


def _best(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest round."""
    work()
    found = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)
