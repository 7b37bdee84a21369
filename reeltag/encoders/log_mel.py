"""Statistics of the log-mel spectrogram of each frame: no weights, no licence question.

    sound -> windows of 25 ms each 10 ms -> 64 log-mel bands
          -> mean, standard deviation and maximum of the windows of a frame -> 192 features

A window belongs to the frame that holds its middle. The windows lie on one grid of the file, so
that a frame's features do not depend on the span that it comes in.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reeltag.data.features import EncoderIdentity
from reeltag.encoders._registry import register_encoder
from reeltag.encoders._spectrogram import HOP, NUM_BANDS, WINDOW, log_mel, windows_at
from reeltag.encoders.base import (
    EncoderInfo,
    Float32,
    SoundEncoder,
    context_samples,
    first_sample,
)

_CHUNK = 1 << 12  # windows at a time: 8 MB of samples


@register_encoder
class LogMel(SoundEncoder):
    """Mean, standard deviation and maximum of 64 log-mel bands per frame."""

    info = EncoderInfo(
        name="log_mel",
        kind="sound",
        width=3 * NUM_BANDS,
        licence="that of reeltag",
        megabytes=0.0,
        description="mean, deviation and maximum of 64 log-mel bands; how loud at which pitch",
    )
    identity = EncoderIdentity(
        name="log_mel",
        version="1",
        weights="none",
        preprocessing="16 kHz mono; windows of 25 ms every 10 ms; 64 bands of 125 to 7500 Hz; "
        "log(magnitude + 0.001)",
    )
    width = 3 * NUM_BANDS
    context_s = 0.025

    def encode(
        self, sound_N: Float32, num_frames: int, rate_hz: float, first_frame: int = 0
    ) -> Float32:
        """Return means, deviations, maxima (num_frames, 192): see SoundEncoder."""
        frames = np.arange(first_frame, first_frame + num_frames + 1)
        edges = np.array([first_sample(int(frame), rate_hz) for frame in frames])
        first = -((HOP // 2 - edges) // HOP)  # window i has its middle at HOP * i + HOP / 2
        lowest = int(first[0]) - 1
        starts = np.arange(lowest, int(first[-1])) * HOP + (HOP - WINDOW) // 2
        bands = _bands(sound_N, starts - (edges[0] - context_samples(self.context_s)))
        features = np.empty((num_frames, 3, NUM_BANDS), np.float32)
        for k, (begin, end) in enumerate(pairwise(first - lowest)):
            # Above 100 Hz a frame may hold no middle: it takes the last one before its end.
            of_frame = bands[min(begin, end - 1) : end]
            features[k] = of_frame.mean(0), of_frame.std(0), of_frame.max(0)
        return features.reshape(num_frames, self.width)


def _bands(sound_N: Float32, starts: NDArray[np.integer]) -> Float32:
    """Return the log-mel bands of the windows that begin at some samples, some at a time."""
    parts = [starts[i : i + _CHUNK] for i in range(0, len(starts), _CHUNK)]
    return np.concatenate([log_mel(windows_at(sound_N, part)) for part in parts])
