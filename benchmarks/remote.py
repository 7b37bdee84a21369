"""Training NeXtVLAD from an S3 server that is 50 ms away, against local files of the same bytes.

    python -m benchmarks remote

Both read shard after shard in the same order. The cache holds about half of the shards and is empty
at the begin of each turn, so that shards are fetched while others are trained on. A turn is a fresh
loader: seconds to its first batch, then steps of training, on the same two cores as the server.
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.figure import figure
from benchmarks.results import Row
from benchmarks.s3_server import s3_server
from benchmarks.training import Step, random_record, training_step
from reeltag.core.system.allocator import keep_freed_memory
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.data.remote.cache import FOLDER, SIZE
from reeltag.data.remote.store import ObjectStore

TARGET, LATENCY_S = ">= 0.9", 0.05
ADDRESS = "s3://archive/frames"


@dataclass(frozen=True)
class _Sizes:
    shards: int
    a_shard: int  # videos
    batch_size: int
    window: int  # videos that are mixed
    kept: int  # shards
    steps: int
    turns: int


FULL = _Sizes(shards=24, a_shard=24, batch_size=80, window=80, kept=12, steps=12, turns=3)
QUICK = _Sizes(shards=4, a_shard=6, batch_size=8, window=4, kept=3, steps=2, turns=1)


@dataclass
class _Turns:
    """What was measured of one way, a value a turn."""

    first_s: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    fetched: list[int] = field(default_factory=list)


def run(quick: bool) -> list[Row]:
    """Return the rates of both ways, and what fraction of the local one the remote one has."""
    keep_freed_memory()
    sizes = QUICK if quick else FULL
    with (
        tempfile.TemporaryDirectory() as folder,
        s3_server(LATENCY_S),
        _environment({FOLDER: f"{folder}/cache"}),
    ):
        local = Path(folder, "frames")
        _write(local, sizes)
        _upload(local)
        classes = ClassList.numbered(3862)
        began = time.perf_counter()
        data = {"S3": Dataset.open(ADDRESS, classes=classes, quiet=True)}
        indexed_s = time.perf_counter() - began
        data["local files"] = Dataset.open(local, classes=classes, quiet=True)
        largest = max(path.stat().st_size for path in local.glob("*.tfrecord"))
        with _environment({SIZE: str(sizes.kept * largest / 1e9)}):
            trained = _measure(data, sizes, quick)
    return _rows(trained, sizes, indexed_s)


def _measure(data: dict[str, Dataset], sizes: _Sizes, quick: bool) -> dict[str, _Turns]:
    """Train both ways in turns."""
    step, found = training_step(quick), {way: _Turns() for way in data}
    for turn in range(sizes.turns):
        for way, dataset in data.items() if turn % 2 else reversed(data.items()):
            if dataset.index.mirror is not None:
                shutil.rmtree(dataset.path / ".reeltag" / "shards", ignore_errors=True)
            with _counted() as fetched:
                _train(dataset, step, sizes, turn, found[way])
            found[way].fetched.append(sum(fetched))
    return found


def _train(data: Dataset, step: Step, sizes: _Sizes, seed: int, into: _Turns) -> None:
    loader = Loader(
        data.videos("all"),
        batch_size=sizes.batch_size,
        shuffle="shards",
        seed=seed,
        reuse_buffers=True,
        reading=ReadConfig(window=sizes.window),
    )
    began = time.perf_counter()
    batches = loader.endless()
    first = next(batches)
    into.first_s.append(time.perf_counter() - began)
    step(first)
    began = time.perf_counter()
    for _ in range(sizes.steps):
        step(next(batches))
    seconds = (time.perf_counter() - began) / sizes.steps
    into.rates.append(sizes.batch_size / seconds)
    del first, batches  # its thread ends


def _rows(trained: dict[str, _Turns], sizes: _Sizes, indexed_s: float) -> list[Row]:
    rates = {way: statistics.median(turns.rates) for way, turns in trained.items()}
    rows = [
        figure(
            f"nextvlad from {way}",
            round(rates[way], 1),
            "videos/s",
            details={
                "turns": [round(rate, 1) for rate in turns.rates],
                "first_batch_s": [round(seconds, 2) for seconds in turns.first_s],
                "fetched_mb": [round(size / 1e6) for size in turns.fetched],
            },
        )
        for way, turns in trained.items()
    ]
    first = statistics.median(trained["S3"].first_s)
    fraction = rates["S3"] / rates["local files"]
    return [
        *rows,
        figure("S3, fraction of local files", round(fraction, 3), "of the rate", TARGET),
        figure("first batch from S3, nothing kept", round(first, 2), "s"),
        figure(
            "index from S3",
            round(indexed_s, 2),
            "s",
            details={"shards": sizes.shards, "videos": sizes.shards * sizes.a_shard},
        ),
    ]


@contextmanager
def _counted() -> Iterator[list[int]]:
    """Yield the bytes of each read of an object within the block."""
    read, sizes = ObjectStore.read, list[int]()

    def counting(self: ObjectStore, name: str, begin: int, end: int) -> bytes:
        some = read(self, name, begin, end)
        sizes.append(len(some))
        return some

    ObjectStore.read = counting  # type: ignore[method-assign]
    try:
        yield sizes
    finally:
        ObjectStore.read = read  # type: ignore[method-assign]


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _write(folder: Path, sizes: _Sizes) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for shard in range(sizes.shards):
        with TFRecordWriter(folder / f"train{shard:04}.tfrecord") as writer:
            for number in range(sizes.a_shard):
                writer.write(random_record(f"v{shard}-{number}", rng))


def _upload(folder: Path) -> None:
    import fsspec

    files = fsspec.filesystem("s3")
    bucket, _, prefix = ADDRESS.removeprefix("s3://").partition("/")
    files.mkdir(bucket)
    for path in sorted(folder.glob("*.tfrecord")):
        files.pipe_file(f"{bucket}/{prefix}/{path.name}", path.read_bytes())
