"""What workers are asked to do, and what they return: plain objects that travel by pickle."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reeltag.encoders.base import Precision
from reeltag.library.extraction.encoding import EncodedStream

VERSION = 1  # of what is computed; parts of another one are computed again
SPAN_FRAMES = 64  # frames that are decoded and encoded at a time
GRACE_SECONDS = 60.0
SLOWEST = 4.0  # seconds per second of video, before a worker is taken to hang
_BYTES_PER_SECOND = 12_500  # 100 kbit/s: little for a video


@dataclass(frozen=True, kw_only=True)
class EncodingSettings:
    """How all videos of an archive are encoded.

    Attributes:
        picture: name of the encoder of pictures; "" = none.
        sound: name of the encoder of sound; "" = none.
        rate_hz: frames per second.
        quick: decode key frames only.
        device: where encoders compute.
        precision: of their arithmetic.
    """

    picture: str
    sound: str
    rate_hz: float
    quick: bool = False
    device: str = "auto"
    precision: Precision = "auto"

    def key(self, streams: Sequence[EncodedStream]) -> str:
        """Return a hash of all that the features of a video depend on besides the video."""
        about = [VERSION, [asdict(of) for of in streams], self.rate_hz, self.quick]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class ProbeJob:
    """Look which streams a file has; the result is a pair: has pictures, has sound."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class DescribeJob:
    """Load the encoders; the result is a tuple of `EncodedStream`."""

    settings: EncodingSettings


@dataclass(frozen=True, kw_only=True)
class VideoJob:
    """Encode a video; the result is `None`, and its part is there.

    Attributes:
        settings: how.
        how: key of the settings, kept in the part.
        key: content id, names the part.
        id: of the video, names its previews.
        path: of the file.
        parts: folder of the parts.
        previews: folder of the previews; None = none are made.
    """

    settings: EncodingSettings
    how: str
    key: str
    id: str
    path: Path
    parts: Path
    previews: Path | None


@dataclass(frozen=True, kw_only=True)
class Probed:
    """Reported when a video has been opened: its seconds, where the container says them."""

    duration_s: float | None


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """Reported after each span: frames that are done."""

    num_frames: int


Job = ProbeJob | DescribeJob | VideoJob


def quiet_seconds(rate_hz: float, seconds: float | None) -> float:
    """Return how long a worker may be silent: a minute, and four times what a span lasts.

    Args:
        rate_hz: frames per second.
        seconds: that the video lasts, where that is known.
    """
    span = SPAN_FRAMES / rate_hz
    return GRACE_SECONDS + SLOWEST * min(span, span if seconds is None else seconds)


def limit_seconds(num_bytes: int) -> float:
    """Return how long a file may take at most, however often its worker reports.

    Args:
        num_bytes: of the file; at least `_BYTES_PER_SECOND` of it are taken for a second.
    """
    return GRACE_SECONDS + SLOWEST * (60 + num_bytes / _BYTES_PER_SECOND)
