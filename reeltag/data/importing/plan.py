"""Which video goes into which shard: by split, in the order of the sources, about 128 MB each."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reeltag.core.seeding import derive_seed
from reeltag.data.importing.sources import SourceVideo

SHARD_BYTES = 128_000_000
_ENDS = {"train": 0.8, "validate": 0.9, "test": 1.0}  # of the hashes, in [0, 1)


@dataclass(frozen=True)
class ShardPlan:
    """One shard to write.

    Attributes:
        name: of the file.
        split: of its videos.
        videos: in the order in which they are written.
    """

    name: str
    split: str
    videos: tuple[SourceVideo, ...]

    @property
    def num_bytes(self) -> int:
        """Bytes of the sources, about."""
        return sum(video.num_bytes for video in self.videos)


def hashed_split(video_id: str) -> str:
    """Return the split of an id by its hash: 80 % train, 10 % validate, 10 % test.

    It is the same in every import, whatever else is imported.
    """
    place = _place(video_id)
    return next((split for split, end in _ENDS.items() if place < end), "test")


def with_splits(
    videos: Sequence[SourceVideo], *, by_hash: bool, fill: bool
) -> tuple[list[SourceVideo], dict[str, int]]:
    """Return the videos with a split each, and how many have theirs by name and by hash.

    Args:
        videos: of the archive.
        by_hash: whatever their folders are called.
        fill: where all are split by hash and a split stays empty, as in small archives, it gets
            the training video whose hash is nearest to it.
    """
    splits = [video.split if video.split and not by_hash else "" for video in videos]
    counts = {"name": sum(map(bool, splits)), "hash": splits.count("")}
    splits = [split or hashed_split(video.id) for split, video in zip(splits, videos, strict=True)]
    if fill and not counts["name"]:
        for split in ("validate", "test"):
            train = [i for i, of in enumerate(splits) if of == "train"]
            if split not in splits and len(train) > 1:
                splits[max(train, key=lambda i: _place(videos[i].id))] = split
    placed = [video._replace(split=of) for video, of in zip(videos, splits, strict=True)]
    return placed, counts


def _place(video_id: str) -> float:
    """Return a number in [0, 1) that depends on the id alone."""
    return derive_seed(0, "import split", video_id) / 2**63


def plan_shards(
    videos: Sequence[SourceVideo], ratio: float, first: Mapping[str, int], limit: int
) -> list[ShardPlan]:
    """Return the shards to write, by split.

    Args:
        videos: with a split each.
        ratio: bytes stored per byte of the source, about.
        first: split -> number of its first shard.
        limit: bytes stored per shard, about.
    """
    shards = list[ShardPlan]()
    for split in _ENDS:
        several = [video for video in videos if video.split == split]
        number, at, size = first.get(split, 0), 0, 0.0
        for end, video in enumerate(several, start=1):
            size += video.num_bytes * ratio
            if size >= limit or end == len(several):
                name = f"{split}{number:04d}.tfrecord"
                shards.append(ShardPlan(name, split, tuple(several[at:end])))
                number, at, size = number + 1, end, 0.0
    return shards


def fingerprint(shard: ShardPlan, how: str) -> str:
    """Return a hash of all that a shard depends on: its videos, the state of their files, and how.

    OSError where a file is gone.
    """
    digest = hashlib.sha256(f"{shard.name} {how}".encode())
    states = dict[str, tuple[int, int]]()
    for video in shard.videos:
        for part in video.parts:
            if part.path not in states:
                status = os.stat(part.path)
                states[part.path] = status.st_size, status.st_mtime_ns
            where = str(Path(part.path).absolute())
            record = (video.id, where, part.key, part.stream, states[part.path])
            digest.update(json.dumps(record).encode())
    return digest.hexdigest()
