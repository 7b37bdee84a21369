"""Sounds of five classes, synthesised: what is heard in synthetic films."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.library.synth.film_encoding import RATE

Rng: TypeAlias = np.random.Generator
Samples: TypeAlias = NDArray[np.float32]

TENTH = RATE // 10  # samples
_LOUD = 10 ** (-16 / 20)  # root mean square of a sound where it is loud
_EDGE = RATE // 200  # samples in which a pulse rises and falls


def synthesise(name: str, tenths: int, rng: Rng) -> Samples:
    """Return a sound that is audible from its first to its last tenth of a second.

    Args:
        name: one of `SOUNDS`.
        tenths: its length; at least 5.
        rng: of pitch, pace and noise.

    Returns:
        (tenths * TENTH,) float32, at a common loudness; pauses within it are at most 0.5 s.
    """
    sound = SOUNDS[name](tenths * TENTH, rng)
    level = np.sqrt((sound.reshape(-1, TENTH) ** 2).mean(1))
    return (sound * (_LOUD / max(float(np.quantile(level, 0.9)), 1e-6))).astype(np.float32)


def _pulses(
    length: int, seconds: float, share: float, pulse: Callable[[int, int], Samples]
) -> Samples:
    """Return pulses at an even pace, the first at the beginning, the last up to the end.

    Args:
        length: samples in all.
        seconds: from one pulse to the next, about.
        share: of that time, in which there is a sound.
        pulse: number of a pulse and its samples -> its sound.
    """
    size = int(min(seconds * share * RATE, length))
    number = max(round((length - size) / (seconds * RATE)) + 1, 1)
    starts = np.linspace(0, length - size, number).astype(int)
    sound = np.zeros(length, np.float32)
    ramp = np.minimum(1, np.arange(1, size + 1, dtype=np.float32) / _EDGE)
    for index, start in enumerate(starts):
        sound[start : start + size] += pulse(index, size) * ramp * ramp[::-1]
    return sound


def _time(size: int) -> NDArray[np.float64]:
    return np.arange(size) / RATE


def _beeps(length: int, rng: Rng) -> Samples:
    pitch = rng.uniform(500, 2400)
    second = pitch * rng.choice([1.0, 0.8, 1.25])

    def pulse(index: int, size: int) -> Samples:
        wave = np.sin(2 * np.pi * (second if index % 2 else pitch) * _time(size))
        return np.asarray(wave + 0.3 * wave**3, np.float32)

    return _pulses(length, rng.uniform(0.22, 0.6), rng.uniform(0.4, 0.65), pulse)


def _noise_bursts(length: int, rng: Rng) -> Samples:
    width = int(rng.integers(1, 6))  # of the mean over neighbours that makes the noise darker

    def pulse(_: int, size: int) -> Samples:
        noise = rng.standard_normal(size + width - 1, dtype=np.float32)
        return np.asarray(np.convolve(noise, np.full(width, 1 / width), "valid"), np.float32)

    return _pulses(length, rng.uniform(0.5, 1.0), rng.uniform(0.55, 0.8), pulse)


def _chirps(length: int, rng: Rng) -> Samples:
    low, high = rng.uniform(900, 2000), rng.uniform(3200, 6500)
    first, last = (low, high) if rng.random() < 0.5 else (high, low)

    def pulse(_: int, size: int) -> Samples:
        time = _time(size)
        phase = first * time + (last - first) * time**2 / (2 * float(time[-1]))
        return np.asarray(np.sin(2 * np.pi * phase), np.float32)

    return _pulses(length, rng.uniform(0.2, 0.45), rng.uniform(0.5, 0.8), pulse)


def _drum(length: int, rng: Rng) -> Samples:
    pitch, decay = rng.uniform(60, 130), rng.uniform(0.05, 0.09)
    skin = rng.uniform(0.1, 0.5)

    def pulse(_: int, size: int) -> Samples:
        time = _time(size)
        beat = np.sin(2 * np.pi * pitch * (time - decay / 3 * np.exp(-time / decay * 3)))
        noise = skin * rng.standard_normal(size) * np.exp(-time / 0.015)
        return np.asarray((beat + noise) * np.exp(-time / decay), np.float32)

    return _pulses(length, rng.uniform(0.28, 0.6), 0.9, pulse)


def _chord(length: int, rng: Rng) -> Samples:
    root = rng.uniform(130, 330)
    steps = [(0, 4, 7), (0, 3, 7), (0, 5, 9), (0, 4, 7, 11)][rng.integers(4)]
    tremolo, time = rng.uniform(3, 7), _time(length)
    wave = np.zeros(length)
    for step in steps:
        pitch = root * 2 ** (step / 12) * rng.uniform(0.998, 1.002)
        for harmonic in range(1, 5):
            wave += np.sin(2 * np.pi * pitch * harmonic * time + rng.uniform(0, 6)) / harmonic**1.5
    edge = np.minimum(1, np.arange(1, length + 1) / (8 * _EDGE))
    wave *= (1 + 0.25 * np.sin(2 * np.pi * tremolo * time)) * edge * edge[::-1]
    return wave.astype(np.float32)


SOUNDS: dict[str, Callable[[int, Rng], Samples]] = {
    "beeps": _beeps,
    "chirps": _chirps,
    "chord": _chord,
    "drum": _drum,
    "noise bursts": _noise_bursts,
}
