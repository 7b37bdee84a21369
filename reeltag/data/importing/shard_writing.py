"""One shard: its videos are read, prepared, stored as records, and reported on."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reeltag.core.errors import DataError
from reeltag.core.files import write_json
from reeltag.data.features import Features, StreamFeatures
from reeltag.data.importing.files import BadSource, Readers
from reeltag.data.importing.plan import ShardPlan, fingerprint
from reeltag.data.importing.prepare import ArchiveSchema, Prepared, prepare
from reeltag.data.importing.quantise import encode
from reeltag.data.importing.sources import Array, SourceVideo
from reeltag.data.records.example import Values, encode_example, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter


@dataclass(frozen=True, kw_only=True)
class ShardJob:
    """How shards are written.

    Attributes:
        folder: for the shards.
        reports: folder for what was counted in each.
        features: description of what is stored.
        schema: what every video has.
        dtypes: stream -> dtype of frames that are byte strings.
        skip_bad: leave out videos that cannot be imported.
        with_lengths: report the frames of each video.
        how: hash of what else the bytes depend on.
    """

    folder: Path
    reports: Path
    features: Features
    schema: ArchiveSchema
    dtypes: Mapping[str, str]
    skip_bad: bool
    with_lengths: bool
    how: str


@dataclass
class ShardReport:
    """What was written into one shard, or into several.

    Attributes:
        shards: files, those without any video not counted.
        videos: records.
        frames: of all videos.
        num_bytes: of the file; 0 where all videos were left out and there is none.
        cut: frames left out because another stream is one shorter.
        outliers: stream -> values that were clipped.
        whole_numbers: stream -> videos whose values are whole numbers.
        unused: name -> videos that have something of this name that is not imported.
        bad: videos that were left out.
        splits: split -> videos.
        lengths: id -> frames, where that is wanted.
        fingerprint: of what the shard was made of.
    """

    shards: int = 0
    videos: int = 0
    frames: int = 0
    num_bytes: int = 0
    cut: int = 0
    outliers: Counter[str] = field(default_factory=Counter)
    whole_numbers: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    bad: list[BadSource] = field(default_factory=list)
    splits: Counter[str] = field(default_factory=Counter)
    lengths: dict[str, int] = field(default_factory=dict)
    fingerprint: str = ""

    def add(self, other: "ShardReport") -> None:
        """Add what is in another shard."""
        self.shards += other.shards
        self.videos += other.videos
        self.frames += other.frames
        self.num_bytes += other.num_bytes
        self.cut += other.cut
        self.bad += other.bad
        self.lengths |= other.lengths
        for mine, its in (
            (self.outliers, other.outliers),
            (self.whole_numbers, other.whole_numbers),
            (self.unused, other.unused),
            (self.splits, other.splits),
        ):
            mine.update(its)

    def save(self, path: Path) -> None:
        """Write it, whole or not at all; OutputError if that cannot be."""
        write_json(path, vars(self) | {"bad": [asdict(of) for of in self.bad]})

    @classmethod
    def open(cls, path: Path) -> "ShardReport":
        """Read one; OSError or ValueError where it is not there or damaged."""
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in ("outliers", "whole_numbers", "unused", "splits"):
            stored[name] = Counter(stored[name])
        return cls(**{**stored, "bad": [BadSource(**of) for of in stored["bad"]]})


def report_path(job: ShardJob, shard: ShardPlan) -> Path:
    """Return where the report of a shard is: it is written after the shard."""
    return job.reports / f"{shard.name}.json"


def finished_report(shard: ShardPlan, job: ShardJob) -> ShardReport | None:
    """Return the report of a shard that is written already, of the same videos in the same way."""
    try:
        report = ShardReport.open(report_path(job, shard))
        same = report.fingerprint == fingerprint(shard, job.how)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    is_there = not report.videos or (job.folder / shard.name).is_file()
    return report if same and is_there else None


def write_shard(shard: ShardPlan, job: ShardJob) -> ShardReport:
    """Write one shard, whole or not at all, and its report.

    DataError where a video cannot be imported, and bad ones are not skipped; OutputError where the
    shard cannot be written.
    """
    report = ShardReport(fingerprint=fingerprint(shard, job.how))
    path = job.folder / shard.name
    report_path(job, shard).unlink(missing_ok=True)
    with Readers(job.dtypes) as readers, TFRecordWriter(path) as writer:
        for video in shard.videos:
            try:
                prepared = prepare(video, readers.read(video), job.schema)
                writer.write(_record(video, prepared, job, report))
            except DataError as error:
                if not job.skip_bad:
                    raise
                report.bad.append(BadSource(error.where, error.what))
                continue
            report.videos += 1
            report.frames += prepared.num_frames
            report.lengths |= {video.id: prepared.num_frames} if job.with_lengths else {}
            report.cut += prepared.cut
            report.whole_numbers.update(prepared.whole_numbers)
            report.unused.update(prepared.unused)
    if report.videos:
        report.shards, report.num_bytes = 1, path.stat().st_size
        report.splits[shard.split] = report.videos
    else:
        path.unlink()
    report.save(report_path(job, shard))
    return report


def _record(video: SourceVideo, prepared: Prepared, job: ShardJob, report: ShardReport) -> bytes:
    """Return the record of a video, and count its outliers."""
    context: dict[str, Values] = {"id": [video.id.encode()]}
    context |= prepared.context
    stored, outliers = dict[str, Any](), Counter[str]()
    for stream in job.features.streams:
        try:
            values, outside = _stored(prepared.streams[stream.name], stream, job.schema)
        except DataError as error:
            raise DataError(error.what, where=video.where, hint=error.hint) from error
        stored[stream.name] = values
        outliers[stream.name] += outside
    report.outliers += outliers
    if job.schema.is_vector:
        return encode_example(context | {n: v.view("<f4")[0] for n, v in stored.items()})
    return encode_sequence_example(context, stored)


def _stored(values: Array, stream: StreamFeatures, schema: ArchiveSchema) -> tuple[Array, int]:
    if schema.keep_codes and values.dtype == np.uint8 and stream.dtype == "uint8":
        return values, 0
    encoded = encode(values, stream)
    return encoded.stored, encoded.outliers
