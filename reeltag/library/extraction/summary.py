"""What an extraction did, for people and as JSON."""

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reeltag.data.features import Features
from reeltag.data.importing.quantise import Kept
from reeltag.library.database.tables import VideoRow
from reeltag.library.extraction.shards import WrittenShard

_LOOKED_AT = 100  # videos that may have an .info.json


@dataclass(frozen=True, kw_only=True)
class FailedVideo:
    """A file that could not be extracted: its `path`, and `error`, why."""

    path: str
    error: str


@dataclass(frozen=True, kw_only=True)
class ExtractedStream:
    """How one stream is stored.

    Attributes:
        name: of the stream.
        width: values per frame.
        dtype: as stored.
        encoder: that computes it.
        kept_cosine: between stored and computed frames, mean over the sample that scale and offset
            were fitted on; None: they were fitted before.
        outlier_fraction: of the values stored now, those that were clipped.
    """

    name: str
    width: int
    dtype: str
    encoder: str
    kept_cosine: float | None
    outlier_fraction: float


@dataclass(kw_only=True)
class ExtractionSummary:
    """What was extracted now, and what the archive has.

    Attributes:
        out: the data folder.
        extracted: videos that were extracted now.
        frames: of them.
        hours: of them.
        seconds: it took.
        times_real_time: seconds of video per second.
        failed: what could not be extracted now.
        partly: of those extracted, videos that could not be decoded to their end, with why.
        unchanged: videos that were there already.
        moved: of them, those that have another path now.
        changed: of those extracted or failed, files that were another video before.
        missing: videos whose file has vanished.
        back: videos whose file had vanished and is there again.
        copies: files with the same content as another.
        not_videos: reason -> files that are no videos.
        videos: of the archive.
        splits: split -> videos of the archive.
        streams: in the order of a frame.
        rate_hz: frames per second.
        without: stream -> videos that were extracted now and have none of it.
        shards: files written now.
        num_bytes: of them.
        notes: what a person should know.
        next: commands to type next.
    """

    out: str
    extracted: int = 0
    frames: int = 0
    hours: float = 0.0
    seconds: float = 0.0
    times_real_time: float = 0.0
    failed: list[FailedVideo] = field(default_factory=list)
    partly: list[FailedVideo] = field(default_factory=list)
    unchanged: int = 0
    moved: int = 0
    changed: int = 0
    missing: int = 0
    back: int = 0
    copies: int = 0
    not_videos: dict[str, int] = field(default_factory=dict)
    videos: int = 0
    splits: dict[str, int] = field(default_factory=dict)
    streams: list[ExtractedStream] = field(default_factory=list)
    rate_hz: float = 0.0
    without: dict[str, int] = field(default_factory=dict)
    shards: int = 0
    num_bytes: int = 0
    notes: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)

    def add_videos(self, rows: Sequence[VideoRow], shards: Sequence[WrittenShard]) -> None:
        """Count what was extracted now.

        Args:
            rows: of the videos.
            shards: that they are in.
        """
        self.extracted, self.frames = len(rows), sum(of.frames for of in rows)
        self.hours = self.frames / max(self.rate_hz, 1e-9) / 3600
        self.times_real_time = self.hours * 3600 / max(self.seconds, 1e-9)
        self.shards, self.num_bytes = len(shards), sum(of.num_bytes for of in shards)
        self.partly = [FailedVideo(path=str(of.path), error=of.note) for of in rows if of.note]
        parts = [video.part for shard in shards for video in shard.videos]
        self.without = {
            of.name: sum(not part.has(of.name).any() for part in parts) for of in self.streams
        }

    def add_features(
        self, features: Features, kept: dict[str, Kept], outliers: Counter[str], frames: int
    ) -> None:
        """Say how values are stored.

        Args:
            features: description of the archive.
            kept: stream -> how much is kept, where it was fitted now.
            outliers: stream -> values that were clipped.
            frames: that were stored now.
        """
        self.rate_hz = features.rate_hz
        self.streams = [
            ExtractedStream(
                name=of.name,
                width=of.width,
                dtype=of.dtype,
                encoder=f"{of.encoder.name} {of.encoder.version}".strip(),
                kept_cosine=kept[of.name].mean if of.name in kept else None,
                outlier_fraction=outliers[of.name] / max(1, frames * of.width),
            )
            for of in features.streams
        ]

    def add_ages(self, rows: Sequence[VideoRow]) -> None:
        """Note how old pictures are where key frames alone were decoded.

        Args:
            rows: of the videos that were extracted now.
        """
        ages = [of.about["picture_ages"] for of in rows if of.about.get("picture_ages")]
        if ages:
            mean = sum(of["mean_s"] for of in ages) / len(ages)
            longest = max(of["max_s"] for of in ages)
            self.notes.append(
                f"--quick: a frame shows a key frame that is {mean:.1f} s old on average and "
                f"{longest:.1f} s at most, so moments in pictures may be late by that; sound is "
                "exact"
            )


def next_commands(out: Path, paths: Sequence[Path]) -> list[str]:
    """Return what to type next, complete: labels, where the files have some, and what uses them.

    Args:
        out: the data folder.
        paths: of its videos.
    """
    data, work = shlex.quote(str(out)), shlex.quote(f"{out}-work")
    info = f"reeltag info {data}"
    tags = (path.with_name(f"{path.stem}.info.json") for path in paths[:_LOOKED_AT])
    if len({path.parent for path in paths}) > 1:
        source = "folders"
    elif any(map(os.path.isfile, tags)):  # is_file() takes no name that is too long
        source = "info-json"
    else:
        return [info]
    return [
        f"reeltag weak-labels {data} --from {source}",
        info,
        f"reeltag solve moments --data {data} --out {work} --without-ratings",
    ]
