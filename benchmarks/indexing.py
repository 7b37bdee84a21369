"""How fast shards are indexed: gigabytes per second on one core, checksums verified."""

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.data.index import open_index
from reeltag.data.indexing.probe import Schema
from reeltag.data.indexing.scan import scan_shard
from reeltag.data.records.example import encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.data.streams import Stream

NUM_FRAMES = 218  # mean length of a YouTube-8M video
STREAMS = (Stream("rgb", 1024, "uint8"), Stream("audio", 128, "uint8"))
REPEATS = 5


def run(quick: bool) -> list[Row]:
    """Return the figures: frame-level records of YouTube-8M's size, the page cache warm.

    The processor's time is counted, so another process on the machine weighs little.

    Args:
        quick: a tenth of the data.
    """
    num_records = 200 if quick else 2000
    folder = Path(tempfile.mkdtemp(prefix="reeltag-indexing-"))
    try:
        path = _write_shard(folder / "train0.tfrecord", num_records)
        size = path.stat().st_size
        unit = "GB/s per core"
        details = {"records": num_records, "frames": NUM_FRAMES, "bytes": size, "best_of": REPEATS}
        rates = {
            verify: size / min(_seconds(path, verify) for _ in range(REPEATS)) / 1e9
            for verify in (True, False)
        }
        start = time.perf_counter()
        open_index(folder, jobs=1, quiet=True)
        built = time.perf_counter() - start
        start = time.perf_counter()
        open_index(folder, jobs=1, quiet=True)
        opened = time.perf_counter() - start
    finally:
        shutil.rmtree(folder)
    return [
        figure(
            "indexing, checksums verified", round(rates[True], 4), unit, ">= 2", details=details
        ),
        figure("indexing, checksums not verified", round(rates[False], 4), unit, details=details),
        figure("open_index, first time, one process", round(built, 4), "s", details=details),
        figure("open_index, nothing new", round(opened, 4), "s", details=details),
    ]


def _seconds(path: Path, verify: bool) -> float:
    start = time.process_time()
    table = scan_shard(path, Schema("frames", STREAMS), verify)
    assert not np.asarray(table["bits"]).any()
    return time.process_time() - start


def _write_shard(path: Path, num_records: int) -> Path:
    rng = np.random.default_rng(0)
    frames = {
        stream.name: rng.integers(0, 256, (NUM_FRAMES, stream.width), np.uint8)
        for stream in STREAMS
    }
    with TFRecordWriter(path) as writer:
        for number in range(num_records):
            labels = np.sort(rng.choice(3862, 3, replace=False))
            writer.write(
                encode_sequence_example({"id": [b"%04x" % number], "labels": labels}, frames)
            )
    return path
