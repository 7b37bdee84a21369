"""Small data folders, written by the project's own encoder, and what is in them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet, windows_of
from reeltag.data.records.example import Values, encode_example, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter

NUM_CLASSES = 12


@dataclass(frozen=True)
class Video:
    """One record: (T, 6) rgb and (T, 3) audio that are different in every byte that matters."""

    id: str
    frames: NDArray[np.uint8]
    labels: tuple[int, ...]
    ratings: tuple[tuple[int, int, float], ...] = ()  # start, class, score

    @property
    def payload(self) -> bytes:
        starts, classes, scores = zip(*self.ratings, strict=True) if self.ratings else ((), (), ())
        context: dict[str, Values] = {
            "id": [self.id.encode()],
            "labels": np.array(self.labels, np.int64),
            "segment_start_times": np.array(starts, np.int64),
            "segment_end_times": np.array(starts, np.int64) + 5,
            "segment_labels": np.array(classes, np.int64),
            "segment_scores": np.array(scores, np.float32),
        }
        streams = {"audio": self.frames[:, 6:], "rgb": self.frames[:, :6]}
        return encode_sequence_example(context, streams)


@dataclass(frozen=True)
class Corpus:
    """A data folder, its index, and what is in it by id."""

    data: Dataset
    videos: dict[str, Video] = field(default_factory=dict)


def a_video(name: str, num_frames: int, ratings: Sequence[tuple[int, int, float]] = ()) -> Video:
    """Return a video whose content depends on its name alone."""
    rng = np.random.default_rng(list(name.encode()))
    frames = rng.integers(0, 256, (num_frames, 9), dtype=np.uint8)
    labels = sorted({int(label) for label in rng.integers(0, NUM_CLASSES, 3)})
    return Video(name, frames, tuple(labels), tuple(ratings))


def write_shard(path: Path, payloads: Sequence[bytes]) -> None:
    """Write a shard, with a vocabulary beside it so that the number of classes is known."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = "".join(f"{number},c{number}\n" for number in range(NUM_CLASSES))
    (path.parent / "classes.csv").write_text("index,name\n" + names)
    with TFRecordWriter(path) as writer:
        for payload in payloads:
            writer.write(payload)


def frame_corpus(folder: Path, shards: dict[str, Sequence[Video]]) -> Corpus:
    """Write frame-level shards: name without ending -> videos."""
    for name, videos in shards.items():
        write_shard(folder / f"{name}.tfrecord", [video.payload for video in videos])
    dataset = Dataset.open(folder, jobs=1, quiet=True)
    return Corpus(dataset, {video.id: video for videos in shards.values() for video in videos})


def many_videos(folder: Path, num_shards: int = 4, a_shard: int = 10) -> Corpus:
    """Write videos of 1 to 23 frames, of all lengths."""
    return frame_corpus(
        folder,
        {
            f"train{shard:02}": [
                a_video(f"{shard}-{number}", 1 + (shard * a_shard + number) * 7 % 23)
                for number in range(a_shard)
            ]
            for shard in range(num_shards)
        },
    )


def vector_corpus(folder: Path, num_videos: int = 30) -> tuple[Dataset, NDArray[np.float32]]:
    """Write video-level shards of (6,) mean_rgb and (3,) mean_audio; return the vectors too.

    Ids differ in length, and the features stand on either side of them and in either order, so
    that the streams lie at changing places.
    """
    vectors = np.random.default_rng(8).standard_normal((num_videos, 9), dtype=np.float32)
    payloads = []
    for number, vector in enumerate(vectors):
        rgb: dict[str, Values] = {"mean_rgb": vector[:6]}
        audio: dict[str, Values] = {"mean_audio": vector[6:]}
        rest: dict[str, Values] = {
            "id": [b"v" * (1 + number % 3) + str(number).encode()],
            "labels": np.arange(number % 4),
        }
        first, last = (rgb, audio) if number % 5 else (audio, rgb)
        payloads.append(encode_example({**first, **rest, **last}))
    half = num_videos // 2
    write_shard(folder / "train0.tfrecord", payloads[:half])
    write_shard(folder / "train1.tfrecord", payloads[half:])
    return Dataset.open(folder, jobs=1, quiet=True), vectors


def segment_grid(items: VideoSet) -> VideoSet:
    """Return every 5-second segment [0, 5), [5, 10), ... of whole videos, without labels."""
    count = -(-items.length // 5)
    start = np.concatenate([np.arange(0, 5 * number, 5) for number in count])
    times = np.stack([start, start + 5], axis=1).astype(np.float64)
    return windows_of(items.records, np.repeat(items.video, count), times, None)
