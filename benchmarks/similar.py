"""How fast similar moments are found: exact search over 300,000 seconds on one core.

The data are random frames of 1280 + 192 bytes, as efficientnet_lite0 and log_mel are stored, in
videos of 200 s; the shards are in the page cache. The first search of a data set also computes
its norms once.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features, StreamFeatures
from reeltag.data.records.example import Values, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.library.similar import MomentSearch

SECONDS, LENGTH, SEARCHES = 300_000, 200, 9
WIDTHS = {"rgb": 1280, "audio": 192}


def run(quick: bool) -> list[Row]:
    """Return the figures; `quick`: 2,000 seconds."""
    seconds = 2_000 if quick else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), seconds // LENGTH)
        data = Dataset.open(folder, jobs=1, quiet=True)
        opened = time.perf_counter()
        search = MomentSearch(data, threads=1, quiet=True)
        first = time.perf_counter() - opened
        rows = []
        for streams in ((), ("audio",)):
            search = MomentSearch(data, streams, threads=1, quiet=True)
            times = []
            for at in range(SEARCHES):
                began = time.perf_counter()
                search.search(f"v{at}", 50.0)
                times.append(time.perf_counter() - began)
            width = sum(WIDTHS[name] for name in streams or WIDTHS)
            details: dict[str, object] = {"width": width, "median_of": SEARCHES}
            name = f"search of {seconds:,} s x {width}"
            rows.append(figure(name, statistics.median(times), "s", "< 1 s", details))
        name = f"norms of {seconds:,} s x {sum(WIDTHS.values())}"
        rows.append(figure(name, first, "s"))
    return rows


def _write(folder: Path, videos: int) -> None:
    """Write videos of random bytes, with a description of two streams."""
    streams = tuple(
        StreamFeatures(
            name=name, width=width, dtype="uint8", scale=(0.02,) * width, offset=(-2.0,) * width
        )
        for name, width in WIDTHS.items()
    )
    Features(streams=streams).save(folder)
    rng = np.random.default_rng(0)
    with TFRecordWriter(folder / "train0.tfrecord") as writer:
        for at in range(videos):
            frames = {
                name: rng.integers(0, 256, (LENGTH, width), dtype=np.uint8)
                for name, width in WIDTHS.items()
            }
            context: dict[str, Values] = {
                "id": [f"v{at}".encode()],
                "labels": np.array([], np.int64),
            }
            writer.write(encode_sequence_example(context, frames))
