"""What an encoder is: pictures, sound or text in, one vector of features per frame or text out.

    encoder = create_encoder("efficientnet_lite0")
    encoder.encode(pictures_NHWC)               # uint8 of encoder.size -> (N, width) float32

A result depends on nothing else than its own picture, frame or text: neither on what is in the
same call nor, for sound, on how a file is cut into spans (to a tolerance of float32 arithmetic;
the tests state it).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.features import EncoderIdentity

Float32 = NDArray[np.float32]
EncoderKind = Literal["picture", "sound", "text"]
Fit = Literal["stretch", "crop"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
SAMPLE_RATE = 16_000  # of all sound, Hz


@dataclass(frozen=True, kw_only=True)
class EncoderInfo:
    """What is known of an encoder without loading it."""

    name: str
    """As `create_encoder` takes it; of encoders loaded by name, the pattern, as in "timm:NAME"."""
    kind: EncoderKind | None
    """What it encodes; None: by the weights that are loaded."""
    width: int | None = None
    """Features per frame or text; None: by the weights that are loaded."""
    licence: str = "not stated"
    """Of code and weights."""
    megabytes: float | None = None
    """Size of the weights; None: differs."""
    weights_from: str = "none needed"
    """Where the weights come from."""
    extra: str = ""
    """Extra of reeltag that installs what it needs; "" = nothing."""
    packages: tuple[str, ...] = ()
    """Modules that it needs; empty: all of the extra."""
    description: str = ""
    """One line: what its features are, and what they are good for."""


class Encoder(ABC):
    """What all kinds of encoders have; own ones extend one of the three kinds below.

    The constructor loads the weights, and sets identity, width and class_names; ConfigError where
    the weights are not there or the device cannot be used.

    Args:
        device: "cpu", "cuda", "cuda:1", ...; "auto" = a GPU where there is one.
        precision: of the arithmetic; "auto" = fp32 on CPUs.

    Attributes:
        info: name, kind, licence and so on; an attribute of the class.
        identity: name, version, hash of the weights and preprocessing, as features.json keeps it.
        width: features per frame or text, D.
        class_names: names of the encoder's own classes, K of them; empty where it has none.
        class_groups: words for several of its classes: name -> their numbers.
        one_class: whether its classes exclude each other, so that their probabilities sum to 1.
    """

    info: EncoderInfo
    identity: EncoderIdentity
    width: int
    class_names: tuple[str, ...] = ()
    class_groups: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    one_class: bool = False

    def __init__(self, *, device: str = "auto", precision: Precision = "auto") -> None:
        del device, precision  # an encoder that is computed without weights needs neither

    def classify(self, features_ND: Float32) -> Float32:
        """Return logits (N, K) of its own classes for features (N, D); ConfigError without any."""
        raise ConfigError(f"encoder {self.identity.name!r} has no classes of its own")

    def text_encoder(self) -> "TextEncoder | None":
        """Return the encoder of texts into the same space; None where there is none."""
        return None


class PictureEncoder(Encoder):
    """Pictures -> features.

    Attributes:
        size: (height, width) in pixels that a picture must have.
        fit: how it is brought to that size: "stretch" scales both sides, "crop" scales the
            shorter side and cuts out the middle of the longer one.
    """

    size: tuple[int, int]
    fit: Fit = "stretch"

    @abstractmethod
    def encode(self, pictures_NHWC: NDArray[np.uint8]) -> Float32:
        """Return features (N, D) of RGB pictures (N, height, width, 3), values 0 to 255."""


class SoundEncoder(Encoder):
    """Sound, 16 kHz mono -> features per frame.

    Frame k of a file covers samples [first_sample(k), first_sample(k + 1)).

    Attributes:
        sample_rate: samples per second.
        context_s: seconds of sound before and after a span of frames that it wants to see.
    """

    sample_rate: int = SAMPLE_RATE
    context_s: float = 0.0

    @abstractmethod
    def encode(
        self, sound_N: Float32, num_frames: int, rate_hz: float, first_frame: int = 0
    ) -> Float32:
        """Return features (num_frames, D) of a span of a file.

        Args:
            sound_N: samples in [-1, 1], those of `span_samples(...)`, zeros outside of the file.
            num_frames: frames in the span.
            rate_hz: frames per second.
            first_frame: number of the span's first frame in its file.
        """


class TextEncoder(Encoder):
    """Texts -> features of unit norm; a cosine is their product."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Float32:
        """Return (N, D) of N texts, each of Euclidean norm 1."""


def first_sample(frame: int, rate_hz: float) -> int:
    """Return the first sample of a frame in its file, at 16 kHz.

    >>> [first_sample(k, 3.0) for k in range(4)]
    [0, 5333, 10667, 16000]
    """
    return round(frame * SAMPLE_RATE / rate_hz)


def context_samples(context_s: float) -> int:
    """Return how many samples of context there are on each side, at 16 kHz."""
    return round(context_s * SAMPLE_RATE)


def span_samples(
    first_frame: int, num_frames: int, rate_hz: float, context_s: float
) -> tuple[int, int]:
    """Return first and last + 1 of the samples that a sound encoder sees of a span.

    The first one may be negative and the last one beyond the end of the file: zeros are there.

    Args:
        first_frame: number of the first frame in its file.
        num_frames: frames in the span.
        rate_hz: frames per second.
        context_s: seconds before and after, of the encoder.

    >>> span_samples(2, 3, 1.0, 0.5)
    (24000, 88000)
    """
    context = context_samples(context_s)
    start = first_sample(first_frame, rate_hz) - context
    return start, first_sample(first_frame + num_frames, rate_hz) + context
