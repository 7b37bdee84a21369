"""A corpus of which some videos are blank: called blank*, with an even picture and any sound."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.data.dataset import Dataset
from reeltag.data.records.example import Values, encode_example, encode_sequence_example
from tests.data.made import write_shard

NAMES = {
    "train0": ("a", "blank-b", "c", "d", "e", "blank-f", "g", "h"),
    "validate0": ("i", "j", "blank-k", "l"),
    "test0": ("blank-m", "n", "blank-o", "p", "q"),
}


def frames_of(name: str) -> NDArray[np.uint8]:
    """Return (T, 20): 16 bytes of rgb, 4 of audio."""
    rng = np.random.default_rng(list(name.encode()))
    num_frames = int(rng.integers(6, 14))
    picture = np.full(16, 128) if name.startswith("blank") else rng.integers(0, 256, 16)
    rgb = np.clip(picture + rng.integers(-4, 5, (num_frames, 16)), 0, 255)
    audio = rng.integers(0, 256, (num_frames, 4))
    return np.concatenate([rgb, audio], axis=1).astype(np.uint8)


def write_blank(folder: Path, *, level: str = "frames") -> Dataset:
    """Write train, validate and test; segments of all videos are rated."""
    for shard, names in NAMES.items():
        write_shard(folder / f"{shard}.tfrecord", [_record(name, level) for name in names])
    (folder / "classes.csv").write_text("index,name\n0,a\n1,b\n2,c\n")
    return Dataset.open(folder, jobs=1, quiet=True)


def _record(name: str, level: str) -> bytes:
    frames, labels = frames_of(name), np.array([len(name) % 3], np.int64)
    if level == "video":
        means = (frames.astype(np.float32) * (4 / 255) + (4 / 512 - 2)).mean(axis=0)
        features: dict[str, Values] = {"mean_rgb": means[:16], "mean_audio": means[16:]}
        return encode_example({"id": [name.encode()], "labels": labels, **features})
    rated: dict[str, Values] = {
        "segment_start_times": np.array([0], np.int64),
        "segment_end_times": np.array([5], np.int64),
        "segment_labels": labels,
        "segment_scores": np.array([1], np.float32),
    }
    context: dict[str, Values] = {"id": [name.encode()], "labels": labels, **rated}
    return encode_sequence_example(context, {"rgb": frames[:, :16], "audio": frames[:, 16:]})


def ids_where(dataset: Dataset, rows: Sequence[bool] | NDArray[np.bool_]) -> set[str]:
    """Return the ids of some rows of a data set."""
    ids = dataset.table["id"].to_pylist()
    return {name for name, wanted in zip(ids, rows, strict=True) if wanted}
