"""Parts of videos, in their order, to shards of a split: each whole, or not there.

A shard is closed when it has reached its size. So which video is in which shard depends on
the videos and their order alone, not on when which of them was encoded, nor on how often that was
interrupted.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reeltag.core.errors import DataError
from reeltag.core.files import put
from reeltag.data.features import Features
from reeltag.data.importing.quantise import encode
from reeltag.data.records.example import Values, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.data.streams import missing_key
from reeltag.library.extraction.parts import FeaturePart

SPLITS = ("train", "validate", "test")
_NAME = re.compile(r"(train|validate|test)(\d+)\.tfrecord")


@dataclass(frozen=True, kw_only=True)
class EncodedVideo:
    """A video that is ready to be stored.

    Attributes:
        id: of the record.
        content: id of its content.
        split: that it is in.
        part: its features.
    """

    id: str
    content: str
    split: str
    part: FeaturePart


@dataclass(frozen=True, kw_only=True)
class WrittenShard:
    """A shard that is written, and is about to get its name.

    Attributes:
        name: of the file in DATA.
        videos: in their order.
        num_bytes: of the file.
        outliers: stream -> values that were clipped.
    """

    name: str
    videos: tuple[EncodedVideo, ...]
    num_bytes: int
    outliers: dict[str, int]


class ShardAssembler:
    """Put videos into the shards of their split, in the order in which they come.

    Args:
        data: folder of the shards.
        work: folder in which they are written, on the same disk.
        features: how values are stored.
        first: split -> number of its next shard.
        commit: called with each written shard and what gives it its name: it must call that once.
        shard_bytes: size of a shard, about.
    """

    def __init__(
        self,
        data: Path,
        work: Path,
        features: Features,
        first: Mapping[str, int],
        commit: Callable[[WrittenShard, Callable[[], None]], None],
        *,
        shard_bytes: int,
    ) -> None:
        self._data, self._work, self._features = data, work, features
        self._next = Counter(first)
        self._commit, self._limit = commit, shard_bytes
        self._frame_bytes = sum(stream.num_bytes for stream in features.streams)
        self._open = dict[str, EncodedVideo]()  # by content, in the order of arrival
        self._bytes = Counter[str]()

    def add(self, video: EncodedVideo) -> None:
        """Take the next video; its shard is written when it is full.

        OutputError where that cannot be.
        """
        self._open[video.content] = video
        self._bytes[video.split] += video.part.num_frames * self._frame_bytes
        if self._bytes[video.split] >= self._limit:
            self._close(video.split)

    def take_back(self) -> list[EncodedVideo]:
        """Return the videos that are in no shard yet, in their order, and forget them."""
        videos = [*self._open.values()]
        self._open.clear()
        self._bytes.clear()
        return videos

    def finish(self) -> None:
        """Write what is left; OutputError where that cannot be."""
        for split in SPLITS:
            if self._bytes[split]:
                self._close(split)

    def _close(self, split: str) -> None:
        videos = tuple(video for video in self._open.values() if video.split == split)
        name = f"{split}{self._next[split]:04d}.tfrecord"
        written, outliers = self._work / f"{name}.written", Counter[str]()
        with TFRecordWriter(written) as writer:
            for video in videos:
                writer.write(record_of(video, self._features, outliers))

        def place() -> None:
            put(written, self._data / name)

        num_bytes = written.stat().st_size
        self._commit(
            WrittenShard(name=name, videos=videos, num_bytes=num_bytes, outliers=dict(outliers)),
            place,
        )
        self._next[split] += 1
        self._bytes[split] = 0
        for video in videos:
            del self._open[video.content]
            video.part.remove()


def next_numbers(shards: Iterable[str]) -> dict[str, int]:
    """Return the number of the next shard of each split.

    Args:
        shards: names of those that are there.

    >>> next_numbers(["train0000.tfrecord", "train0003.tfrecord", "notes.txt"])
    {'train': 4}
    """
    first = dict[str, int]()
    for name in shards:
        if match := _NAME.fullmatch(name):
            first[match[1]] = max(first.get(match[1], 0), int(match[2]) + 1)
    return first


def record_of(video: EncodedVideo, features: Features, outliers: Counter[str]) -> bytes:
    """Return the record of a video, and count the values that were clipped.

    Args:
        video: to store.
        features: how values are stored.
        outliers: stream -> values, which is added to.

    Raises:
        DataError: its part is gone, or a value is too large for float16.
    """
    frames, end = video.part.frames(), 0
    context: dict[str, Values] = {"id": [video.id.encode(errors="surrogateescape")]}
    stored = {}
    for stream in features.streams:
        first, end = end, end + stream.width
        try:
            encoded = encode(frames[:, first:end], stream)
        except DataError as error:
            raise DataError(error.what, where=video.id, hint=error.hint) from error
        stored[stream.name] = encoded.stored
        outliers[stream.name] += encoded.outliers
        if missing := video.part.missing.get(stream.name):
            context[missing_key(stream.name)] = np.array(missing, np.int64).ravel()
    return encode_sequence_example(context, stored)
