"""Described features of two bytes per value, read as fast as published ones of one byte?

The same videos, as uint8 and as float16, in turns: bytes that the loader hands out per second, page
cache warm, one process and one background thread.
"""

import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features
from reeltag.data.loader import Loader
from reeltag.data.records.example import encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.data.streams import StoredDtype, Stream

NUM_FRAMES, WIDTH, BATCH = 218, 1152, 80
DTYPES: tuple[StoredDtype, ...] = ("uint8", "float16")


def run(quick: bool) -> list[Row]:
    """Return the rates, and their ratio of each pair of passes.

    Args:
        quick: a tenth of the videos.
    """
    with tempfile.TemporaryDirectory() as folder:
        opened = {of: _corpus(Path(folder, of), of, 80 if quick else 800) for of in DTYPES}
        for dtype in DTYPES:
            _rate(opened[dtype])  # from the disk into the page cache
        pairs = [[_rate(opened[dtype]) for dtype in DTYPES] for _ in range(2 if quick else 9)]
    ratios = [float16 / uint8 for uint8, float16 in pairs]
    rates = [statistics.median(each) for each in zip(*pairs, strict=True)]
    details = {"least": min(ratios), "most": max(ratios), "pairs": len(pairs)}
    return [
        *(
            figure(f"frames of {dtype}, shuffled", round(rate), "MB/s")
            for dtype, rate in zip(DTYPES, rates, strict=True)
        ),
        figure(
            "bytes/s of float16 / of uint8",
            round(statistics.median(ratios), 3),
            "x",
            ">= 0.9",
            details=details,
        ),
    ]


def _corpus(folder: Path, dtype: StoredDtype, num_videos: int) -> Dataset:
    folder.mkdir()
    rng = np.random.default_rng(0)
    size = WIDTH * np.dtype(dtype).itemsize
    with TFRecordWriter(folder / "train0.tfrecord") as writer:
        for number in range(num_videos):
            frames = rng.integers(0, 120, (NUM_FRAMES, size), np.uint8)  # also of finite floats
            writer.write(encode_sequence_example({"id": [b"%d" % number]}, {"visual": frames}))
    features = Features.published([Stream("visual", WIDTH, dtype)])
    dataclasses.replace(features, convention="").save(folder)
    return Dataset.open(folder, jobs=1, quiet=True)


def _rate(data: Dataset) -> float:
    """Return the megabytes of frames per second of an epoch."""
    items = data.videos("all")
    loader = Loader(items, batch_size=BATCH, shuffle="global", labels=False, reuse_buffers=True)
    began = time.perf_counter()
    num_bytes = sum(batch.frames.nbytes for batch in loader)
    return num_bytes / (time.perf_counter() - began) / 1e6
