"""Features of own videos as two encoders store them, written as records with a description."""

from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.data.features import Features, StreamFeatures
from reeltag.data.records.example import Values, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter

WIDTHS = {"rgb": 1280, "audio": 192}  # as efficientnet_lite0 and log_mel are stored
Frames: TypeAlias = Mapping[str, NDArray[np.uint8]]


def random_frames(rng: np.random.Generator, seconds: int) -> Frames:
    """Return uniform codes of a video, one frame a second."""
    return {
        name: rng.integers(0, 256, (seconds, width), dtype=np.uint8)
        for name, width in WIDTHS.items()
    }


def write_videos(folder: Path, videos: Iterable[tuple[str, Frames]], per_shard: int) -> None:
    """Write shards of the training split, without labels, and the description of the features.

    Args:
        folder: that exists.
        videos: id and frames of each; taken one at a time.
        per_shard: videos of a shard.
    """
    Features(streams=tuple(_stream(name, width) for name, width in WIDTHS.items())).save(folder)
    left, number = iter(videos), 0
    while first := [*islice(left, 1)]:
        with TFRecordWriter(folder / f"train{number:04d}.tfrecord") as writer:
            for video, frames in chain(first, islice(left, per_shard - 1)):
                context: dict[str, Values] = {
                    "id": [video.encode()],
                    "labels": np.array([], np.int64),
                }
                writer.write(encode_sequence_example(context, frames))
        number += 1


def _stream(name: str, width: int) -> StreamFeatures:
    return StreamFeatures(
        name=name, width=width, dtype="uint8", scale=(0.02,) * width, offset=(-2.0,) * width
    )
