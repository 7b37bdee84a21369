"""Does the loader feed a GPU? NeXtVLAD trained on batches in memory and on batches from files.

The files are in the page cache, as in the second epoch of data that fit memory. What trains is the
authors' NeXtVLAD through the project's objective and optimiser, in bfloat16.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from benchmarks.figure import figure
from benchmarks.gpu.device import (
    autocast,
    forget_peak,
    median,
    peak_gib,
    seconds_per_call,
    use_tf32,
)
from benchmarks.results import Row
from benchmarks.update import update
from reeltag.core.batch import FrameBatch
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.records.example import Values, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.models import nextvlad
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Optimisation
from reeltag.training.optimiser import make_optimiser

STREAMS = (("rgb", 1024), ("audio", 128))
CLASSES = 3862
TARGETS = {("memory", "NVIDIA H200"): ">= 20,000", ("files", "NVIDIA H200"): ">= 15,000"}


@contextmanager
def random_videos(number: int, frames: int) -> Iterator[Dataset]:
    """Yield a data set of random bytes with as many videos, which is removed in the end."""
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        with TFRecordWriter(Path(folder) / "train0000.tfrecord") as writer:
            for video in range(number):
                streams = {n: rng.integers(0, 256, (frames, w), dtype=np.uint8) for n, w in STREAMS}
                labels = np.unique(rng.integers(0, CLASSES, 3))
                context: dict[str, Values] = {"id": [f"v{video}".encode()], "labels": labels}
                writer.write(encode_sequence_example(context, streams))
        yield Dataset.open(folder, classes=ClassList.numbered(CLASSES), quiet=True)


def large_tagger(*, quick: bool = False) -> Tagger:
    """Return the authors' NeXtVLAD with random weights, or a small one."""
    torch.manual_seed(0)
    config = nextvlad.Config(num_clusters=8, hidden=64) if quick else nextvlad.Config()
    return Tagger(config, STREAMS, [str(c) for c in range(CLASSES)])


def feeding(device: torch.device, data: Dataset, *, quick: bool = False) -> list[Row]:
    """Return the videos/s of training from memory and from files, and of the loader alone."""
    use_tf32()
    batch_size, seconds = (4, 0.05) if quick else (512, 4.0)
    pin = ReadConfig(pin=device.type == "cuda", prefetch=4)
    loader = Loader(
        data.videos("all"), batch_size=batch_size, shuffle="global", reuse_buffers=True, reading=pin
    )
    batches = loader.endless()
    still = next(iter(loader)).to(device)
    step = _step(large_tagger(quick=quick).to(device).train(), device)
    forget_peak(device)
    times = {
        "memory": seconds_per_call(lambda: step(still), device, seconds=seconds),
        "files": seconds_per_call(lambda: step(next(batches).to(device)), device, seconds=seconds),
    }
    details = {"batch": batch_size, "precision": "bf16", "peak_gib": peak_gib(device)}
    rows = [
        figure(f"nextvlad trained from {way}", *_rate(found, batch_size), details=details)
        for way, found in times.items()
    ]
    alone = seconds_per_call(lambda: next(batches).to(device), device, seconds=seconds / 2)
    rows.append(figure("loader alone, onto the device", *_rate(alone, batch_size)))
    return [_with_target(row, device) for row in rows]


def _rate(times: list[float], batch_size: int) -> tuple[float, str]:
    return round(batch_size / median(times), 1), "videos/s"


def _with_target(row: Row, device: torch.device) -> Row:
    """Return a row with its target, where this is the device that has one."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    for (way, of), target in TARGETS.items():
        if row["name"].endswith(f"from {way}") and name == of:
            return figure(row["name"], row["value"], row["unit"], target, row["details"])
    return row


def _step(tagger: Tagger, device: torch.device) -> Callable[[FrameBatch], None]:
    optimiser = make_optimiser(tagger.parameters(), Optimisation())

    def step(batch: FrameBatch) -> None:
        update(tagger, optimiser, batch, autocast("bf16", device))

    return step
