"""log_mel by hand: a plain loop in float64."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.encoders import span_samples
from reeltag.encoders._spectrogram import mel_weights
from reeltag.encoders.base import Float32
from reeltag.encoders.log_mel import LogMel
from reeltag.testing.encoders import sound_of

BINS = 257


def mel(hertz: float) -> float:
    return 1127 * math.log(1 + hertz / 700)


def weight(frequency: int, band: int) -> float:
    """Return the weight of a frequency of the spectrum in a band."""
    if frequency == 0:
        return 0.0
    step = (mel(7500) - mel(125)) / 65
    lower, centre, upper = (mel(125) + (band + at) * step for at in range(3))
    at = mel(frequency * 8000 / 256)
    return max(0.0, min((at - lower) / (centre - lower), (upper - at) / (upper - centre)))


WEIGHTS = np.array([[weight(frequency, band) for band in range(64)] for frequency in range(BINS)])
HANN = np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / 400) for n in range(400)])
TURNS = np.exp(-2j * np.pi * np.outer(np.arange(BINS), np.arange(400)) / 512)


def bands_of(window: Float32) -> NDArray[np.float64]:
    """Return the 64 log-mel bands of 400 samples, by the definition of the discrete transform."""
    spectrum = np.abs(TURNS @ (window.astype(np.float64) * HANN))
    bands: NDArray[np.float64] = np.log(spectrum @ WEIGHTS + 0.001)
    return bands


def frame_by_hand(sound: Float32, begin: float, end: float) -> NDArray[np.float64]:
    """Return the features of the seconds [begin, end) of a file."""
    padded = np.pad(sound, 400)
    rows = []
    for number in range(-1, len(sound) // 160 + 1):
        middle = 160 * number + 80
        if begin * 16_000 <= middle < end * 16_000:
            rows.append(bands_of(padded[400 + middle - 200 : 400 + middle + 200]))
    table = np.array(rows)
    return np.concatenate([table.mean(0), table.std(0), table.max(0)])


def test_weights_are_the_triangles_by_hand() -> None:
    np.testing.assert_allclose(mel_weights(), WEIGHTS, atol=1e-6)


@pytest.mark.parametrize("rate", [5.0, 7.5])
def test_features_are_those_by_hand(rate: float) -> None:
    encoder, sound, number = LogMel(), sound_of(0.8), 4
    start, end = span_samples(0, number, rate, encoder.context_s)
    span = np.pad(sound, (-start, max(0, end - len(sound))))[: end - start]
    features = encoder.encode(span, number, rate)
    for k in range(number):
        expected = frame_by_hand(sound, k / rate, (k + 1) / rate)
        # float32 spectra of values down to 0.001, under a logarithm
        np.testing.assert_allclose(features[k], expected, atol=2e-3)


def test_pure_tone_is_in_its_band_and_louder_is_more() -> None:
    time = np.arange(16_000 + 800) / 16_000
    centre = 700 * (math.exp((mel(125) + 31 * (mel(7500) - mel(125)) / 65) / 1127) - 1)
    features = [
        LogMel().encode((level * np.sin(2 * np.pi * centre * time)).astype(np.float32), 1, 1.0)[0]
        for level in (0.1, 0.2)
    ]
    assert all(int(of[:64].argmax()) == 30 for of in features)
    assert features[1][30] - features[0][30] == pytest.approx(math.log(2), abs=1e-3)


def test_silence_is_the_logarithm_of_the_offset_without_deviation() -> None:
    features = LogMel().encode(np.zeros(16_000 + 800, np.float32), 1, 1.0)[0].reshape(3, 64)
    np.testing.assert_allclose(features[[0, 2]], math.log(0.001), rtol=1e-6)
    np.testing.assert_allclose(features[1], 0, atol=1e-5)


def test_rate_above_that_of_windows_has_a_window_in_each_frame() -> None:
    encoder, rate = LogMel(), 250.0
    start, end = span_samples(10, 50, rate, encoder.context_s)
    features = encoder.encode(sound_of(1)[start:end], 50, rate, 10)
    assert features.shape == (50, 192) and np.isfinite(features).all()
