"""Does the loader starve the step? NeXtVLAD trained from files against one batch kept in memory.

The same step, in turns of a few, once on a batch that stays in memory and once on what the loader
reads from shards of random bytes (300 frames of 1024 + 128). The page cache is warm, as in the
second epoch of a data set that fits memory.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.figure import figure
from benchmarks.models import has_bfloat16
from benchmarks.results import Row
from benchmarks.update import update
from reeltag.core.batch import FrameBatch
from reeltag.core.system.allocator import keep_freed_memory
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.loader import Loader
from reeltag.data.records.example import Values, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.layers.wide_linear import factor_gradients
from reeltag.models import nextvlad
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Optimisation
from reeltag.training.optimiser import make_optimiser

Step = Callable[[FrameBatch], None]
TARGET = "<= 3 %"
STREAMS = (("rgb", 1024), ("audio", 128))


def run(quick: bool) -> list[Row]:
    """Return the rates of both ways and by how much files are slower."""
    keep_freed_memory()
    batch_size, turns, steps = (8, 2, 2) if quick else (80, 6, 4)
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), batch_size * 6)
        dataset = Dataset.open(folder, classes=ClassList.numbered(3862), quiet=True)
        items = dataset.videos("all")
        loader = Loader(items, batch_size=batch_size, shuffle="global", reuse_buffers=True)
        batches = loader.endless()
        still = next(iter(Loader(items, batch_size=batch_size)))
        step = training_step(quick)
        seconds: dict[str, list[float]] = {"memory": [], "files": []}
        step(still)
        for _ in range(turns):
            seconds["memory"].append(_time(step, lambda: still, steps))
            seconds["files"].append(_time(step, lambda: next(batches), steps))
    rates = {way: [batch_size / s for s in values] for way, values in seconds.items()}
    medians = {way: statistics.median(values) for way, values in rates.items()}
    slower = 1 - medians["files"] / medians["memory"]
    rows = [
        figure(
            f"nextvlad from {way}",
            round(medians[way], 1),
            "videos/s",
            details={"turns": [round(rate, 1) for rate in rates[way]]},
        )
        for way in rates
    ]
    return [*rows, figure("slower from files by", round(100 * slower, 2), "%", TARGET)]


def training_step(quick: bool) -> Step:
    """Return a step of training NeXtVLAD on a batch."""
    torch.manual_seed(0)
    config = nextvlad.Config(num_clusters=8, hidden=64) if quick else nextvlad.Config()
    names = [str(c) for c in range(config.num_classes)]
    tagger = Tagger(config, STREAMS, names).train()
    factor_gradients(tagger)
    optimiser = make_optimiser(tagger.parameters(), Optimisation())
    bf16 = has_bfloat16()

    def step(batch: FrameBatch) -> None:
        update(tagger, optimiser, batch, torch.autocast("cpu", torch.bfloat16, enabled=bf16))

    return step


def _time(step: Step, take: Callable[[], FrameBatch], steps: int) -> float:
    """Return seconds per step, taking the batch included."""
    began = time.perf_counter()
    for _ in range(steps):
        step(take())
    return (time.perf_counter() - began) / steps


def _write(folder: Path, num_videos: int) -> None:
    rng = np.random.default_rng(0)
    with TFRecordWriter(folder / "train0000.tfrecord") as writer:
        for number in range(num_videos):
            writer.write(random_record(f"v{number}", rng))


def random_record(name: str, rng: np.random.Generator) -> bytes:
    """Return a record of 300 frames of random bytes with the id `name`."""
    frames = {n: rng.integers(0, 256, (300, w), dtype=np.uint8) for n, w in STREAMS}
    labels = np.unique(rng.integers(0, 3862, 3))
    context: dict[str, Values] = {"id": [name.encode()], "labels": labels}
    return encode_sequence_example(context, frames)
