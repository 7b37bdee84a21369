"""A corpus as large as wanted in seconds: few records, repeated under other ids."""

from pathlib import Path

import numpy as np
import torch

from reeltag.core.files import write_json
from reeltag.data.records.example import Values, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.models import model_config
from reeltag.tagger.tagger import Tagger

WIDTH, FRAMES, CLASSES, LABELS = 8, 10, 100, 3
PARTS = 10  # shards at least: 8 train, 1 validate, 1 test of ten
LARGEST = 5000  # records of a shard
KINDS = 200  # different records
_ID = b"________"
_SPLITS = ("train",) * 8 + ("validate", "test")


def write_repeated(folder: Path, videos: int) -> None:
    """Write records of 10 frames of 8 bytes and 3 labels; a tenth has a rated segment.

    Args:
        folder: to make.
        videos: a multiple of 10; ids are numbers of eight digits.
    """
    folder.mkdir()
    records = _records()
    shards = max(PARTS, videos // LARGEST)
    size = videos // shards
    for shard in range(shards):
        name = f"{_SPLITS[shard % PARTS]}{shard:04d}.tfrecord"
        with TFRecordWriter(folder / name) as writer:
            for number in range(shard * size, (shard + 1) * size):
                before, after = records[number % KINDS]
                writer.write(b"%s%08d%s" % (before, number, after))


def _records() -> list[tuple[bytes, bytes]]:
    """Return what is before and after the id in each kind of record."""
    rng = np.random.default_rng(0)
    found = []
    for kind in range(KINDS):
        frames = {"rgb": rng.integers(0, 256, (FRAMES, WIDTH), np.uint8)}
        labels = np.sort(rng.choice(CLASSES, LABELS, replace=False))
        context: dict[str, Values] = {"id": [_ID], "labels": labels}
        if not kind % 10:
            context |= {
                "segment_start_times": np.array([5]),
                "segment_end_times": np.array([10]),
                "segment_labels": labels[:1],
                "segment_scores": np.array([kind % 20 / 10], np.float32),
            }
        before, after = encode_sequence_example(context, frames).split(_ID)
        found.append((before, after))
    return found


def write_run(folder: Path) -> None:
    """Write a run folder of a logistic regression with random weights, for these records."""
    torch.manual_seed(0)
    config = model_config("logistic", num_classes=CLASSES, dims=(WIDTH,))
    tagger = Tagger(config, [("rgb", WIDTH)], [f"class {c}" for c in range(CLASSES)])
    for weights in tagger.parameters():
        torch.nn.init.normal_(weights)  # logits of both signs
    folder.mkdir()
    tagger.save_weights(folder)
    tagger.save_classes(folder)
    write_json(folder / "config.json", tagger.describe())
