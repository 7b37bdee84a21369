"""Frame and video-level records -> padded batches, page cache warm, next to TensorFlow's tf.data.

The data are written by the project's own encoder into a temporary folder: random bytes, 218 frames
of 1024 + 128 (YouTube-8M's mean), three labels. A rate is videos loaded per second of wall time,
one process, one background thread; the batch is not looked at. tf.data runs in a Python of its own
(REELTAG_TF_PYTHON, with TensorFlow), over the same files, before and after ours.
"""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.core.console import say
from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet, windows_of
from reeltag.data.loader import Loader
from reeltag.data.records.example import Values, encode_example, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.data.sampling import FrameChoice, Shuffle

FRAMES, VECTORS, RATIO = ">= 8,000", ">= 200,000", ">= 4"  # targets
NUM_FRAMES, WIDTHS, NUM_CLASSES = 218, (1024, 128), 3862
FRAME_BATCH, VECTOR_BATCH = 80, 1024
PEER = Path(__file__).parent / "peers" / "tfdata_loading.py"


def run(quick: bool) -> list[Row]:
    repeats = 2 if quick else 9
    with tempfile.TemporaryDirectory() as folder:
        frames = _frame_corpus(Path(folder, "frames"), 160 if quick else 2400)
        vectors = _vector_corpus(Path(folder, "vectors"), 4096 if quick else 81_920)
        peer = [_tf_data(Path(folder, "frames"), repeats)]
        whole = frames.videos("all")
        rates = _rates(lambda: _loader(whole, "global"), repeats)
        peer.append(_tf_data(Path(folder, "frames"), repeats))
        rows = [
            _rate("frame records, shuffled", rates, FRAMES),
            *_against(rates, peer),
            _rate("frame records, in order", _rates(lambda: _loader(whole, "no"), repeats)),
        ]
        for name, choice in (
            ("30 random frames", FrameChoice(how="random", num_frames=30)),
            ("every 5th to 10th frame", FrameChoice(how="stride")),
        ):
            make = _maker(whole, choice)
            rows.append(_rate(f"frame records, {name}", _rates(make, repeats)))
        grid = _every_segment(whole)
        rates = _rates(lambda: Loader(grid, batch_size=512, reuse_buffers=True), repeats)
        rows.append(_rate("5-second segments, in order", rates, unit="segments/s"))
        means = vectors.videos("all")
        for shuffle in ("global", "no"):
            rates = _rates(_vector_maker(means, shuffle), repeats)
            how = "shuffled" if shuffle == "global" else "in order"
            rows.append(_rate(f"video-level records, {how}", rates, VECTORS))
    return [*rows, _memcpy(repeats)]


def _every_segment(items: VideoSet) -> VideoSet:
    count = -(-items.length // 5)
    start = np.concatenate([np.arange(0, 5 * number, 5) for number in count])
    times = np.stack([start, start + 5], axis=1).astype(np.float64)
    return windows_of(items.records, np.repeat(items.video, count), times, None)


def _loader(items: VideoSet, shuffle: Shuffle) -> Loader:
    return Loader(items, batch_size=FRAME_BATCH, shuffle=shuffle, reuse_buffers=True)


def _maker(items: VideoSet, choice: FrameChoice) -> Callable[[], Loader]:
    return lambda: Loader(
        items, batch_size=FRAME_BATCH, frames=choice, shuffle="global", reuse_buffers=True
    )


def _vector_maker(items: VideoSet, shuffle: Shuffle) -> Callable[[], Loader]:
    return lambda: Loader(items, batch_size=VECTOR_BATCH, shuffle=shuffle, reuse_buffers=True)


def _rates(make: Callable[[], Loader], repeats: int) -> list[float]:
    """Return items per second of each of several epochs, after one that warms up."""
    loader = make()
    rates = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        count = sum(len(batch) for batch in loader)
        rates.append(count / (time.perf_counter() - began))
    return rates[1:]


def _rate(name: str, rates: list[float], target: str | None = None, unit: str = "videos/s") -> Row:
    details = {"min": round(min(rates)), "max": round(max(rates)), "runs": len(rates)}
    return figure(name, round(statistics.median(rates)), unit, target, details)


def _against(ours: list[float], peer: list[Row | None]) -> list[Row]:
    """Return the best tf.data pipeline's rate and how many times faster ours is."""
    measured = [run["rates"] for run in peer if run is not None]
    if not measured:
        return []
    variants = {name: measured[0][name] + measured[1][name] for name in measured[0]}
    medians = {name: round(statistics.median(rates)) for name, rates in variants.items()}
    best = max(medians, key=lambda name: medians[name])
    theirs = _rate("frame records, tf.data", variants[best])
    theirs["details"] |= {"best of": medians, "version": peer[0] and peer[0]["version"]}
    ratio = statistics.median(ours) / statistics.median(variants[best])
    return [theirs, figure("frame records, times tf.data", round(ratio, 2), "x", RATIO)]


def _tf_data(folder: Path, repeats: int) -> Row | None:
    """Return the rates of each tf.data pipeline; None, with a log line, without TensorFlow."""
    python = os.environ.get("REELTAG_TF_PYTHON", "")
    if not python:
        say("loading: tf.data is skipped; REELTAG_TF_PYTHON names no Python with TensorFlow")
        return None
    command = [python, str(PEER), str(folder), str(FRAME_BATCH), str(repeats)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        say(f"loading: tf.data is skipped; {python} failed: {last}")
        return None
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found


def _memcpy(repeats: int) -> Row:
    """Return how fast memory is copied into a batch, as a bound of what can be reached."""
    source = np.ones((8, FRAME_BATCH * NUM_FRAMES * sum(WIDTHS)), np.uint8)
    target = np.zeros_like(source[0])
    rates = []
    for _ in range(repeats):
        began = time.perf_counter()
        for batch in source:
            target[:] = batch
        rates.append(len(source) * FRAME_BATCH / (time.perf_counter() - began))
    return _rate("memcpy of as many bytes", rates)


def _labels(rng: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(rng.choice(NUM_CLASSES, 3, replace=False))


def _frame_corpus(folder: Path, num_videos: int, num_shards: int = 8) -> Dataset:
    rng = np.random.default_rng(0)
    folder.mkdir()
    for shard in range(num_shards):
        with TFRecordWriter(folder / f"train{shard:04}.tfrecord") as writer:
            for number in range(shard, num_videos, num_shards):
                rgb, audio = (
                    rng.integers(0, 256, (NUM_FRAMES, width), dtype=np.uint8) for width in WIDTHS
                )
                context: dict[str, Values] = {
                    "id": [f"{number:04}".encode()],
                    "labels": _labels(rng),
                }
                writer.write(encode_sequence_example(context, {"rgb": rgb, "audio": audio}))
    return Dataset.open(folder, quiet=True)


def _vector_corpus(folder: Path, num_videos: int, num_shards: int = 16) -> Dataset:
    rng = np.random.default_rng(1)
    folder.mkdir()
    for shard in range(num_shards):
        with TFRecordWriter(folder / f"train{shard:04}.tfrecord") as writer:
            for number in range(shard, num_videos, num_shards):
                rgb, audio = (rng.standard_normal(width, dtype=np.float32) for width in WIDTHS)
                features: dict[str, Values] = {
                    "id": [f"{number:04}".encode()],
                    "labels": _labels(rng),
                    "mean_rgb": rgb,
                    "mean_audio": audio,
                }
                writer.write(encode_example(features))
    return Dataset.open(folder, quiet=True)
