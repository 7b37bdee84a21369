"""Videos to features: against decoding and encoding alone, by workers, by key frames, in memory.

The films are synthetic, 720p H.264 with stereo AAC (`benchmarks.synthetic_films`). Processor
seconds are those of all processes of `reeltag extract`, its start included; the parts alone are
decoding all pictures and all sound by PyAV in one thread, and the encoders under onnxruntime over
as many frames as the film has seconds. Two workers against one is wall time: it needs two idle
cores.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch

from benchmarks.figure import figure
from benchmarks.results import Row
from benchmarks.synthetic_films import repeat_film, write_unit
from reeltag.data.features import Features, StreamFeatures
from reeltag.encoders.base import SAMPLE_RATE, context_samples
from reeltag.encoders.efficientnet_lite0 import EfficientNetLite0
from reeltag.encoders.log_mel import LogMel
from reeltag.library.extraction.parts import FeaturePartWriter
from reeltag.library.extraction.shards import EncodedVideo, ShardAssembler

MINUTES, LONG_MINUTES = 30, 180
OVERHEAD, SPEED, SCALING, QUICK = "<= 1.25", ">= 15", ">= 1.8", ">= 8"
MEMORY, GROWTH = "<= 600", "< 10 %"
_BATCH = 64  # frames
_MEASURE = """
import resource, subprocess, sys, time
began = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, time.monotonic() - began, used.ru_maxrss)
"""


@dataclass(frozen=True)
class Used:
    """What a run of `reeltag extract` took, and wrote.

    Attributes:
        processor_s: of all its processes.
        wall_s: from its start to its end.
        megabytes: peak of the resident memory of its largest process.
        shard_bytes: of features.
        preview_bytes: of sprite sheets, posters and so on.
    """

    processor_s: float
    wall_s: float
    megabytes: float
    shard_bytes: int
    preview_bytes: int


def parts() -> dict[str, str]:
    """Return the parts of the benchmark."""
    return dict.fromkeys(("speed", "workers", "memory", "assembly"), "extraction")


def run(quick: bool, chosen: list[str] | None = None) -> list[Row]:
    """Return the figures.

    Args:
        quick: films of seconds.
        chosen: parts; None = all.
    """
    rows, wanted = list[Row](), chosen or [*parts()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "assembly" in wanted:
            rows += _assembly(folder, 2 if quick else 50)
        if {*wanted} == {"assembly"}:
            return rows
        unit = write_unit(folder / "unit.mp4")
        minutes, repeats = (1, 1) if quick else (MINUTES, 3)
        if "speed" in wanted:
            rows += _speed(repeat_film(unit, folder / "film.mp4", 60 * minutes), repeats)
        if "workers" in wanted:
            rows += _workers(repeat_film(unit, folder / "films.mp4", 60 * minutes // 6), repeats)
        if "memory" in wanted:
            rows += _memory(unit, folder, 2 if quick else LONG_MINUTES)
    return rows


def _extract(films: list[Path], *options: str) -> Used:
    """Extract films in processes of their own."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "reeltag", "extract", *map(str, films), *options]
        measured = subprocess.run(
            [sys.executable, "-c", _MEASURE, *command, "--out", f"{out}/data", "--json"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=True,
            capture_output=True,
            text=True,
        )
        processor, wall, kilobytes = map(float, measured.stdout.split())
        shards, previews = (
            sum(path.stat().st_size for path in Path(out, "data").glob(pattern))
            for pattern in ("*.tfrecord", "previews/*")
        )
    return Used(processor, wall, kilobytes * 1024 / 1e6, shards, previews)


def _speed(film: Path, repeats: int) -> list[Row]:
    decoding, encoding, whole, quick = [], [], [], []
    seconds = _seconds(film)
    for _ in range(repeats):  # in turns, for the machine may be busier at times
        decoding.append(_decode(film))
        used = _extract([film], "--workers", "1")
        whole.append(used.processor_s)
        encoding.append(_encode(round(seconds)))
        quick.append(_extract([film], "--workers", "1", "--quick").processor_s)
    medians = [statistics.median(of) for of in (decoding, encoding, whole, quick)]
    alone, extract_s, quick_s = medians[0] + medians[1], medians[2], medians[3]
    name = f"{seconds / 60:.0f} minutes of 720p"
    details = {
        "decoding alone": round(medians[0], 1),
        "encoders alone": round(medians[1], 1),
        "extract": round(extract_s, 1),
        "extract --quick": round(quick_s, 1),
        "unit": "processor seconds",
        "runs": repeats,
    }
    return [
        figure(f"{name}, against its parts", round(extract_s / alone, 3), "x", OVERHEAD, details),
        figure(f"{name}, per core", round(seconds / extract_s, 1), "x real time", SPEED),
        figure(f"{name}, --quick, per core", round(seconds / quick_s), "x real time"),
        figure("features", round(used.shard_bytes / seconds * 3600 / 1e6, 2), "MB/h"),
        figure("previews", round(used.preview_bytes / seconds * 3600 / 1e6, 2), "MB/h"),
        figure(f"{name}, --quick", round(extract_s / quick_s, 2), "x", QUICK),
    ]


def _workers(film: Path, repeats: int) -> list[Row]:
    """Return how much faster two workers are, over four films."""
    films = [film]
    for number in range(3):  # of another content
        films.append(film.with_name(f"film{number}.mp4"))
        films[-1].write_bytes(film.read_bytes() + bytes(number + 1))
    times = {
        workers: [_extract(films, "--workers", str(workers)).wall_s for _ in range(repeats)]
        for workers in (1, 2)
    }
    one, two = (statistics.median(times[workers]) for workers in (1, 2))
    details = {"one": round(one, 1), "two": round(two, 1), "unit": "seconds"}
    return [figure("4 films, two workers", round(one / two, 2), "x one", SCALING, details)]


def _memory(unit: Path, folder: Path, minutes: int) -> list[Row]:
    """Return the peak of a worker's resident memory, for a short and a long film."""
    short = _extract([repeat_film(unit, folder / "short.mp4", 60)], "--workers", "1").megabytes
    film = repeat_film(unit, folder / "long.mp4", 60 * minutes)
    long = _extract([film], "--workers", "1").megabytes
    return [
        figure(f"memory of a worker, {minutes} minutes", round(long), "MB", MEMORY),
        figure(
            f"growth of memory from 1 to {minutes} minutes",
            round(100 * (long / short - 1), 1),
            "%",
            GROWTH,
            {"1 minute": round(short)},
        ),
    ]


def _assembly(folder: Path, hours: int) -> list[Row]:
    """Return how fast the one process that assembles shards does so, of videos of an hour."""
    streams = [("rgb", 1280), ("audio", 192)]
    sample = np.random.default_rng(0).normal(0, 1, (3600, 1472)).astype(np.float32)
    features = Features(
        streams=tuple(
            StreamFeatures(
                name=name, width=width, dtype="uint8", scale=(0.03,) * width, offset=(-4.0,) * width
            )
            for name, width in streams
        )
    )
    (folder / "data").mkdir()
    assembler = ShardAssembler(
        folder / "data", folder, features, {}, lambda _, place: place(), shard_bytes=128_000_000
    )
    spent = 0.0
    for number in range(hours):
        with FeaturePartWriter(folder, str(number), streams, "now") as writer:
            writer.add(sample, np.ones((len(sample), 2), bool))
            part = writer.finish()
        began = time.process_time()
        name = str(number)
        assembler.add(EncodedVideo(id=name, content=name, split="train", part=part))
        spent += time.process_time() - began
    began = time.process_time()
    assembler.finish()
    spent += time.process_time() - began
    return [figure("assembling shards", round(hours / spent, 1), "h/s")]


def _seconds(film: Path) -> float:
    with av.open(str(film)) as container:
        return float((container.duration or 0) / av.time_base)


def _decode(film: Path) -> float:
    """Return the processor seconds of decoding pictures and sound, all of them."""
    began = time.process_time()
    with av.open(str(film)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for packet in container.demux(container.streams.video[0], container.streams.audio[0]):
            packet.decode()
    return time.process_time() - began


def _encode(frames: int) -> float:
    """Return the processor seconds of both encoders, loaded, over so many frames."""
    torch.set_num_threads(1)
    picture, sound = EfficientNetLite0(device="cpu"), LogMel()
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (_BATCH, 224, 224, 3), np.uint8)
    context = context_samples(sound.context_s)
    samples = rng.normal(0, 0.1, _BATCH * SAMPLE_RATE + 2 * context).astype(np.float32)
    spent, batches = 0.0, -(-frames // _BATCH)
    for number in range(-1, batches):
        began = time.process_time()
        picture.encode(pictures)
        sound.encode(samples, _BATCH, 1.0, 0)
        spent += (time.process_time() - began) * (number >= 0)  # the first one warms up
    return spent * frames / (batches * _BATCH)
