"""From spans of pictures and sound to frames of features, streams side by side.

A frame without a picture has the value 0 in each feature of pictures. A frame without sound has
the features of silence, which is what a player plays there, and what a video with a silent passage
has. Which frames those are is kept (`EncodedSpan.has`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.features import EncoderIdentity
from reeltag.encoders import create_encoder
from reeltag.encoders.base import (
    Encoder,
    Float32,
    PictureEncoder,
    Precision,
    SoundEncoder,
    span_samples,
)

PICTURE, SOUND = "rgb", "audio"  # names of the streams, as YouTube-8M has them
_ROWS = 16  # one of so many is compared first


class DecodedSpan(Protocol):
    """What decoding yields: some successive frames of a file."""

    @property
    def first_frame(self) -> int:
        """Number of the first of them, N in all."""

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """(N, height, width, 3), as the encoder wants them."""

    @property
    def has_picture(self) -> NDArray[np.bool_]:
        """(N,) whether there is a picture."""

    @property
    def sound(self) -> Float32:
        """Samples, those of `span_samples`."""

    @property
    def has_sound(self) -> NDArray[np.bool_]:
        """(N,) whether there is sound."""


@dataclass(frozen=True)
class EncodedSpan:
    """Features of some successive frames.

    Attributes:
        frames: (T, D) float32, streams side by side.
        has: (T, S) which of the streams each frame has.
    """

    frames: Float32
    has: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class EncodedStream:
    """What a stream of features is.

    Attributes:
        name: "rgb" or "audio".
        width: values per frame.
        encoder: that computes it.
    """

    name: str
    width: int
    encoder: EncoderIdentity


class StreamEncoders:
    """The encoders of pictures and of sound, loaded; one of them may be missing.

    Args:
        picture: name of the encoder of pictures; "" = none.
        sound: name of the encoder of sound; "" = none.
        rate_hz: frames per second.
        device: where they compute.
        precision: of their arithmetic.

    Attributes:
        streams: in the order of a frame.

    Raises:
        ConfigError: there is no such encoder, it is of the other kind, or cannot be loaded.
    """

    def __init__(
        self,
        picture: str,
        sound: str,
        rate_hz: float,
        *,
        device: str = "auto",
        precision: Precision = "auto",
    ) -> None:
        self.rate_hz = rate_hz
        self.picture: PictureEncoder | None = None
        self.sound: SoundEncoder | None = None
        streams = list[EncodedStream]()
        if picture:
            encoder = create_encoder(picture, device=device, precision=precision)
            if not isinstance(encoder, PictureEncoder):
                raise _wrong_kind(encoder, picture, "pictures", "--picture")
            self.picture = encoder
            streams.append(_stream(PICTURE, encoder))
        if sound:
            encoder = create_encoder(sound, device=device, precision=precision)
            if not isinstance(encoder, SoundEncoder):
                raise _wrong_kind(encoder, sound, "sound", "--sound")
            self.sound = encoder
            streams.append(_stream(SOUND, encoder))
        self.streams = tuple(streams)
        self._silence: Float32 | None = None

    def encode(self, spans: Iterable[DecodedSpan]) -> Iterator[EncodedSpan]:
        """Yield the features of the spans of a file."""
        for span in spans:
            parts, has = list[Float32](), list[NDArray[np.bool_]]()
            if self.picture:
                parts.append(_encoded_pictures(self.picture, span.pictures, span.has_picture))
                has.append(span.has_picture)
            if self.sound:
                parts.append(self._encoded_sound(self.sound, span))
                has.append(span.has_sound)
            yield EncodedSpan(np.concatenate(parts, axis=1), np.stack(has, axis=1))

    def _encoded_sound(self, encoder: SoundEncoder, span: DecodedSpan) -> Float32:
        num_frames = len(span.has_sound)
        if span.has_sound.any():
            return encoder.encode(span.sound, num_frames, self.rate_hz, span.first_frame)
        if self._silence is None:
            first, end = span_samples(0, 1, self.rate_hz, encoder.context_s)
            self._silence = encoder.encode(np.zeros(end - first, np.float32), 1, self.rate_hz, 0)
        return np.repeat(self._silence, num_frames, axis=0)


def _stream(name: str, encoder: Encoder) -> EncodedStream:
    return EncodedStream(name=name, width=encoder.width, encoder=encoder.identity)


def _wrong_kind(encoder: Encoder, name: str, wanted: str, flag: str) -> ConfigError:
    what = {"picture": "pictures", "sound": "sound", "text": "text", None: "something else"}
    found = what[encoder.info.kind]
    return ConfigError(
        f"{name} encodes {found}, not {wanted}", where=flag, hint="See `reeltag encoders`."
    )


def _encoded_pictures(
    encoder: PictureEncoder, pictures: NDArray[np.uint8], has: NDArray[np.bool_]
) -> Float32:
    """Return features (T, D); equal neighbours, as in slides or key frames, are encoded once."""
    features = np.zeros((len(has), encoder.width), np.float32)
    there = np.flatnonzero(has)
    if not len(there):
        return features
    shown = pictures if len(there) == len(has) else pictures[there]
    is_new = np.ones(len(shown), bool)
    some = shown[:, ::_ROWS]
    is_new[1:] = (some[1:] != some[:-1]).any(axis=(1, 2, 3))
    for at in np.flatnonzero(~is_new):
        is_new[at] = not np.array_equal(shown[at], shown[at - 1])
    distinct = encoder.encode(shown if is_new.all() else shown[is_new])
    features[there] = distinct[np.cumsum(is_new) - 1]
    return features
