"""Sound encoders around nets of torch that see a window of sound around each frame.

A frame is encoded by the window of max(2 s, its own length) that has the same middle: these nets
were trained on clips of seconds, and know little of a single one.
"""

from collections.abc import Callable, Sequence
from math import gcd

import numpy as np
import torch
from scipy.signal import resample_poly
from torch import Tensor, nn

from reeltag.data.features import EncoderIdentity
from reeltag.encoders._devices import Place
from reeltag.encoders._torch_models import OwnClasses, weights_hash
from reeltag.encoders.base import (
    SAMPLE_RATE,
    EncoderInfo,
    Float32,
    SoundEncoder,
    TextEncoder,
    context_samples,
    first_sample,
)

_WINDOW_S = 2.0
_BATCH = 8


class TorchSoundEncoder(SoundEncoder):
    """Features of windows of sound, computed by torch.

    Args:
        info: with the whole name.
        net: that holds all weights; it is put into eval mode, and moved to the place.
        features: windows at `rate` -> features (N, D), at the place.
        rate: samples per second that the net wants; sound is resampled from 16 kHz.
        place: where it computes.
        preprocessing: of a window, in words.
        own: its classes; None: it has none.
        texts: encoder into the same space; None: there is none.
    """

    context_s = _WINDOW_S / 2

    def __init__(
        self,
        info: EncoderInfo,
        net: nn.Module,
        features: Callable[[Sequence[Float32]], Tensor],
        rate: int,
        place: Place,
        *,
        preprocessing: str,
        own: OwnClasses | None = None,
        texts: TextEncoder | None = None,
    ) -> None:
        self.info, self._features, self._rate = info, features, rate
        self._place, self._own, self._texts = place, own, texts
        net.eval().to(place.device)
        if own is not None:
            self.class_names, self.one_class = own.names, own.one_class
        silence = np.zeros(round(_WINDOW_S * SAMPLE_RATE), np.float32)
        self.width = self._run([silence]).shape[1]
        self.identity = EncoderIdentity(
            name=info.name,
            version="1",
            weights=weights_hash(net),
            preprocessing=f"windows of {_WINDOW_S:g} s or of a frame, 16 kHz mono to {rate} Hz; "
            + preprocessing,
        )

    def encode(
        self, sound_N: Float32, num_frames: int, rate_hz: float, first_frame: int = 0
    ) -> Float32:
        """Return features (num_frames, D): see SoundEncoder."""
        frames = range(first_frame, first_frame + num_frames + 1)
        edges = np.array([first_sample(frame, rate_hz) for frame in frames])
        length = max(round(SAMPLE_RATE / rate_hz), round(_WINDOW_S * SAMPLE_RATE))
        begin = (edges[:-1] + edges[1:]) // 2 - length // 2
        begin -= edges[0] - context_samples(self.context_s)
        padded = np.pad(sound_N, (1, 1))  # a window may be a sample longer than its frame
        windows = [padded[start + 1 : start + 1 + length] for start in begin.tolist()]
        parts = [self._run(windows[at : at + _BATCH]) for at in range(0, len(windows), _BATCH)]
        return np.concatenate([np.zeros((0, self.width), np.float32), *parts])

    @torch.inference_mode()
    def _run(self, windows: Sequence[Float32]) -> Float32:
        shared = gcd(self._rate, SAMPLE_RATE)
        up, down = self._rate // shared, SAMPLE_RATE // shared
        if up != down:
            windows = [resample_poly(window, up, down).astype(np.float32) for window in windows]
        with self._place.autocast():
            features = self._features(windows)
        found: Float32 = features.float().cpu().numpy()
        return found

    def classify(self, features_ND: Float32) -> Float32:
        """Return logits (N, K) of its own classes; ConfigError without any."""
        if self._own is None:
            return super().classify(features_ND)
        return self._own.classify(features_ND, self._place.device)

    def text_encoder(self) -> TextEncoder | None:
        """Return the encoder of texts into the same space; None where there is none."""
        return self._texts
