"""Small shards to test with, and what their index says."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.data.dataset import Dataset
from reeltag.data.records.example import Values, encode_example, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter

WIDTHS = {"rgb": 16, "audio": 4}


def some_frames(num_frames: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng((seed, num_frames, width)).integers(
        0, 256, (num_frames, width), np.uint8
    )


def _labels(labels: list[Any]) -> Values:
    is_text = bool(labels) and isinstance(labels[0], bytes)
    return labels if is_text else np.array(labels, np.int64)


def frame_record(
    video_id: str,
    num_frames: int = 7,
    labels: Iterable[int] | Sequence[bytes] = (1, 2),
    *,
    widths: Mapping[str, int] = WIDTHS,
    **context: Values,
) -> bytes:
    """Return a frame-level record as YouTube-8M's, with more context if wanted."""
    features: dict[str, Values] = {
        "id": [video_id.encode()],
        "labels": _labels([*labels]),
        **context,
    }
    return encode_sequence_example(
        features,
        {name: some_frames(num_frames, width) for name, width in widths.items()},
    )


def rated_record(
    video_id: str, num_frames: int, ratings: Iterable[tuple[int, int, float]], **context: Values
) -> bytes:
    """Return a record of 2019: ratings are (start, class, score)."""
    starts, labels, scores = zip(*ratings, strict=True)
    rated: Any = {
        "segment_start_times": np.array(starts, np.int64),
        "segment_end_times": np.array(starts, np.int64) + 5,
        "segment_labels": np.array(labels, np.int64),
        "segment_scores": np.array(scores, np.float32),
    }
    return frame_record(video_id, num_frames, **(rated | context))


def video_record(video_id: str, labels: Iterable[int] = (1, 2), **features: Values) -> bytes:
    """Return a video-level record."""
    rng = np.random.default_rng(len(video_id))
    record: dict[str, Values] = {
        "id": [video_id.encode()],
        "labels": np.array([*labels], np.int64),
        "mean_rgb": rng.standard_normal(16).astype(np.float32),
        "mean_audio": rng.standard_normal(4).astype(np.float32),
        **features,
    }
    return encode_example(record)


def write_shard(path: Path, payloads: Iterable[bytes]) -> Path:
    """Write payloads as one TFRecord file."""
    with TFRecordWriter(path) as writer:
        for payload in payloads:
            writer.write(payload)
    return path


def indexed(folder: Path, **options: Any) -> Dataset:
    """Return the index of a folder, without a progress bar."""
    return Dataset.open(folder, quiet=True, **options)


def rows(dataset: Dataset) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dataset.table.to_pylist()
    return found


def problems(dataset: Dataset) -> list[str | None]:
    return [row["problem"] for row in rows(dataset)]
