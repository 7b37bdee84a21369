"""Log-mel spectrograms of 16 kHz sound, as VGGish and YAMNet see it.

A window is 25 ms (400 samples, periodic Hann, zero-padded to 512), the hop 10 ms (160 samples).
Its magnitude spectrum is summed by 64 triangles, evenly spaced from 125 to 7500 Hz on the scale
mel(f) = 1127 ln(1 + f / 700), and the logarithm of the sum + 0.001 is taken.

Source: tensorflow/models research/audioset, vggish/mel_features.py and yamnet/features.py,
yamnet/params.py (VGGish adds 0.01 instead).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from reeltag.encoders.base import SAMPLE_RATE, Float32

WINDOW, HOP, FFT = 400, 160, 512  # samples
NUM_BANDS, LOW_HZ, HIGH_HZ = 64, 125.0, 7500.0
LOG_OFFSET = 0.001


def log_mel(windows_NW: Float32) -> Float32:
    """Return the log-mel bands (N, 64) of windows of sound (N, 400), values in [-1, 1]."""
    spectrum = np.abs(np.fft.rfft(windows_NW * _hann(), FFT))
    bands: Float32 = np.log(spectrum.astype(np.float32) @ mel_weights() + np.float32(LOG_OFFSET))
    return bands


def windows_at(sound_N: Float32, starts: NDArray[np.integer]) -> Float32:
    """Return the windows (N, 400) of sound that begin at some samples; zeros outside of it."""
    if len(starts) == 0:
        return np.zeros((0, WINDOW), np.float32)
    before = max(0, -int(starts.min()))
    after = max(0, int(starts.max()) + WINDOW - len(sound_N))
    padded = np.pad(sound_N, (before, after)) if before or after else sound_N
    windows: Float32 = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[starts + before]
    return windows


@cache
def _hann() -> Float32:
    phase = 2 * np.pi * np.arange(WINDOW) / WINDOW
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


@cache
def mel_weights() -> Float32:
    """Return the weight (257, 64) of each frequency of the spectrum in each band.

    The lowest frequency, the mean of a window, has none.
    """
    edges = np.linspace(_mel(LOW_HZ), _mel(HIGH_HZ), NUM_BANDS + 2)
    bins = _mel(np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1))[:, None]
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    weights = np.maximum(0, np.minimum(rising, falling))
    weights[0] = 0
    return weights.astype(np.float32)


def _mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return 1127 * np.log1p(np.asarray(hertz, np.float64) / 700)
