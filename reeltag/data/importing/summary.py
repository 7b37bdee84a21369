"""What an import wrote, for people and as JSON."""

from dataclasses import dataclass
from typing import Any

from reeltag.data.importing.files import BadSource


@dataclass(kw_only=True)
class StreamSummary:
    """How one stream was stored.

    Attributes:
        name: of the stream.
        width: values per frame.
        dtype: as stored.
        source_rate_hz: frames/s of the sources.
        encoder: that computed it; "" where nobody said.
        kept_cosine: between stored and given frames, mean over the sample; None: no sample.
        kept_cosine_low: its 1 % quantile.
        constant: dimensions that do not change.
        outliers: values that were clipped.
        outlier_fraction: of all values.
    """

    name: str
    width: int
    dtype: str
    source_rate_hz: float
    encoder: str
    kept_cosine: float | None
    kept_cosine_low: float | None
    constant: int
    outliers: int
    outlier_fraction: float


@dataclass(kw_only=True)
class ImportSummary:
    """What was written.

    Attributes:
        out: the data folder.
        kind: "frames", or "video" for vectors.
        videos: records written now.
        frames: of them.
        hours: of them; None for vectors.
        rate_hz: frames/s as stored; None for vectors.
        streams: in the order of a batch.
        splits: split -> videos.
        shards: files written.
        num_bytes: of the shards.
        bad: what was left out.
        other_files: extension -> files that hold no features.
        notes: what a person should know.
        next: the command to type next.
        request: hash of what was asked for.
        seconds: it took.
        source_bytes: of the features as they were.
    """

    out: str
    kind: str
    videos: int
    frames: int
    hours: float | None
    rate_hz: float | None
    streams: list[StreamSummary]
    splits: dict[str, int]
    shards: int
    num_bytes: int
    bad: list[BadSource]
    other_files: dict[str, int]
    notes: list[str]
    next: str
    request: str = ""
    seconds: float = 0.0
    source_bytes: int = 0

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "ImportSummary":
        """Return what `dataclasses.asdict` made a dict of."""
        streams = [StreamSummary(**of) for of in stored["streams"]]
        bad = [BadSource(**of) for of in stored["bad"]]
        return cls(**{**stored, "streams": streams, "bad": bad})
