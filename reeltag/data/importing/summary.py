"""What an import wrote, for people and as JSON."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reeltag.data.importing.describing import Description
from reeltag.data.importing.files import BadSource, Found
from reeltag.data.importing.prepare import ArchiveSchema
from reeltag.data.importing.shard_writing import ShardReport

_MOST_NAMED = 20


@dataclass(kw_only=True)
class StreamSummary:
    """How one stream was stored.

    Attributes:
        name: of the stream.
        width: values per frame.
        dtype: as stored.
        source_rate_hz: frames/s of the sources.
        encoder: that computed it; "" where it is not known.
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
        request: hash of the options.
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


def summary_of(
    out: Path,
    found: Found,
    schema: ArchiveSchema,
    described: Description,
    total: ShardReport,
) -> ImportSummary:
    """Return what was written, and all that a person should know of it.

    Args:
        out: the data folder.
        found: the sources.
        schema: what every video has.
        described: how it is stored.
        total: of all shards.
    """
    streams = [
        StreamSummary(
            name=stream.name,
            width=stream.width,
            dtype=stream.dtype,
            source_rate_hz=schema.rates_hz[stream.name],
            encoder=str(stream.encoder) if stream.encoder.name else "",
            kept_cosine=kept.mean if kept else None,
            kept_cosine_low=kept.low if kept else None,
            constant=described.constant.get(stream.name, 0),
            outliers=total.outliers[stream.name],
            outlier_fraction=total.outliers[stream.name] / max(1, total.frames * stream.width),
        )
        for stream in described.features.streams
        for kept in [described.kept.get(stream.name)]
    ]
    return ImportSummary(
        out=str(out),
        kind="video" if schema.is_vector else "frames",
        videos=total.videos,
        frames=total.frames,
        hours=None if schema.is_vector else total.frames / schema.rate_hz / 3600,
        rate_hz=None if schema.is_vector else schema.rate_hz,
        streams=streams,
        splits=dict(total.splits),
        shards=total.shards,
        num_bytes=total.num_bytes,
        bad=[*found.bad, *total.bad],
        other_files=dict(found.other_files),
        notes=[*found.notes, *described.notes, *_notes(found, total)],
        next=f"reeltag info {shlex.quote(str(out))}",
    )


def _notes(found: Found, total: ShardReport) -> list[str]:
    """Return what was noticed while writing."""
    notes = list[str]()
    for name, count in total.whole_numbers.items():
        notes.append(
            f"{name}: whole numbers in {count:,} videos, taken as numbers; where they are codes, "
            "give their description with --features"
        )
    if total.cut:
        notes.append(f"{total.cut:,} frames cut, where another stream is one frame shorter")
    for name, count in total.unused.most_common():
        notes.append(f"not imported: {name}, in {count:,} videos")
    others = found.other_arrays.most_common(_MOST_NAMED)
    notes += [f"not imported: {name}, in {count:,} files" for name, count in others]
    missing = [split for split in ("train", "validate") if not total.splits[split]]
    notes += [f"no video is in the split {split}" for split in missing]
    return notes
