"""Small video-level data folders to augment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.data.dataset import Dataset
from reeltag.data.records.example import encode_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.data.shards import read_record

RGB, AUDIO = 6, 3


@dataclass(frozen=True)
class Made:
    """One video; its vector depends on its id alone."""

    id: str
    labels: tuple[int, ...]

    @property
    def vector(self) -> NDArray[np.float32]:
        """(9,): 6 of mean_rgb, 3 of mean_audio."""
        rng = np.random.default_rng(list(self.id.encode()))
        return rng.standard_normal(RGB + AUDIO, dtype=np.float32)

    @property
    def payload(self) -> bytes:
        """A record with a feature that reeltag does not know, to be kept as it is."""
        return encode_example(
            {
                "mean_audio": self.vector[RGB:],
                "note": [b"kept"],
                "labels": np.array(self.labels, np.int64),
                "id": [self.id.encode()],
                "mean_rgb": self.vector[:RGB],
            }
        )


def write_data(folder: Path, shards: Mapping[str, Sequence[Made]]) -> Dataset:
    """Write shards, name without ending -> videos, and return the data set."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, videos in shards.items():
        with TFRecordWriter(folder / f"{name}.tfrecord") as writer:
            for video in videos:
                writer.write(video.payload)
    return Dataset.open(folder, jobs=1, quiet=True)


@dataclass(frozen=True)
class Sample:
    """A record as it was read back."""

    id: str
    labels: tuple[int, ...]
    vector: NDArray[np.float32] | NDArray[np.float64]


def read_back(folder: Path, shard: str) -> list[Sample]:
    """Return the records of one shard of a folder, through its data set."""
    dataset = Dataset.open(folder, jobs=1, quiet=True)
    number = dataset.shards.index(f"{shard}.tfrecord")
    found = []
    for row, record in enumerate(dataset.table.to_pylist()):
        if record["shard"] == number:
            streams = read_record(dataset.index, row)
            vector = np.concatenate([streams["mean_rgb"][0], streams["mean_audio"][0]])
            found.append(Sample(record["id"], tuple(record["labels"]), vector))
    return found


def many(num_videos: int, num_labels: int, prefix: str = "v") -> list[Made]:
    """Return videos of 1 to 3 labels, low numbers more frequent."""
    rng = np.random.default_rng(list(prefix.encode()))
    share = 1 / np.arange(1, num_labels + 1)
    return [
        Made(
            f"{prefix}{number:03}",
            tuple(
                sorted(
                    rng.choice(
                        num_labels, int(rng.integers(1, 4)), replace=False, p=share / share.sum()
                    ).tolist()
                )
            ),
        )
        for number in range(num_videos)
    ]
