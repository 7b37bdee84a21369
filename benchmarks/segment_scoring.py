"""Soft labels and segment scores of an archive, at the speed of the bare forward pass?

    python -m benchmarks.segment_scoring [--videos N] [--rgb 1024] [--model NAME] [--device cuda]

A synthetic corpus of videos of 300 seconds (1024 + 128 bytes per second) is written to a temporary
folder. Then `soft-labels` (8 segments for each label, so that there is something to clock) and
`predict` (every segment, 1000 classes, the best of each class kept) run over it with a NeXtVLAD of
the published size and random weights. At every tenth of the way the clock is stopped, resident
memory is read, and the batches just scored go through the bare model again: both speeds are thus
of the same batches in the same minutes. On a CPU that others use too, the processor time of both
(`cpu_fraction_of_bare`) is the steadier figure.

What is clocked begins with the first forward pass and ends with the finished file: reading,
cutting, the forward pass, ranking, parts, merging. What comes before it (index, digest of the
weights) does not grow with the segments and is measured separately.

The last figure is the memory of the best K segments of each class (`ClassLimit`): a tenth of the
segments and of the places of the challenge of 2019 within a tenth of 2 GB.
"""

import argparse
import dataclasses
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.figure import figure, process_memory
from benchmarks.results import Row
from benchmarks.writing import write_figures
from reeltag.core.console import STDOUT
from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.models import family_of, model_config
from reeltag.predictions.class_limit import ClassLimit
from reeltag.predictions.rows import PredictionRows
from reeltag.soft_labels.teacher import TeacherConfig, write_soft_labels
from reeltag.tagger.tagger import Tagger

VIDEOS, MODEL = 300, "nextvlad"
FRACTION = ">= 0.95"  # of the speed of the bare forward pass
GROWTH = "< 10 %"  # of resident memory, from a tenth of the way to its end
PLACES_MEMORY = "< 190.7 MiB"  # 200 MB: a tenth of the segments and places of the challenge
CORPUS = SynthConfig(classes=1000, min_frames=300, max_frames=300, held_out=0.01)
PLACES = 100  # of each class, so few that the lists are full before a tenth of the way
STOCK = 2  # batches that go through the bare model at each tenth
MIB = 1 << 20


class Probe:
    """Stops the clock at every tenth of the way, to look at memory and at the bare model.

    Args:
        tagger: hooked until `close`.
        num_segments: that will be scored.
    """

    def __init__(self, tagger: Tagger, num_segments: int) -> None:
        self._tagger, self._total = tagger, num_segments
        self._stock: deque[tuple[Tensor, Tensor]] = deque(maxlen=STOCK)
        self._began: NDArray[np.float64] | None = None
        self._created = _clocks()
        self._done, self._stopped = 0, np.zeros(2)
        self._bare, self._bare_segments = np.zeros(2), 0
        self.memory: dict[int, float] = {}  # tenths of the way -> MiB
        self._handles = [
            tagger.register_forward_pre_hook(self._before),
            tagger.register_forward_hook(self._after),
        ]

    def _before(self, *_: object) -> None:
        if self._began is None:
            self._began = _clocks()

    def _after(self, _: nn.Module, inputs: tuple[Tensor, Tensor], __: Tensor) -> None:
        frames, mask = inputs
        self._done += len(frames)
        self._stock.append((frames.clone(), mask.clone()))
        tenths = 10 * self._done // self._total
        if tenths > max(self.memory, default=0):
            began = _clocks()
            self._look(tenths)
            self._stopped += _clocks() - began

    def _look(self, tenths: int) -> None:
        self.memory[tenths] = process_memory("VmRSS") / MIB
        for frames, mask in self._stock:
            _wait()
            began = _clocks()
            self._tagger.forward(frames, mask)
            _wait()
            self._bare += _clocks() - began
            self._bare_segments += len(frames)

    def close(self) -> Row:
        """Remove the hooks; return the speeds and the memory, once all is done."""
        for handle in self._handles:
            handle.remove()
        assert self._began is not None
        rate, cpu_rate = (self._done / (_clocks() - self._began - self._stopped)).tolist()
        bare, cpu_bare = (self._bare_segments / self._bare).tolist()
        return {
            "segments": self._done,
            "segments_per_second": round(rate, 1),
            "bare_segments_per_second": round(bare, 1),
            "fraction_of_bare": round(rate / bare, 4),
            "cpu_fraction_of_bare": round(cpu_rate / cpu_bare, 4),
            "seconds_before_the_first": round(float((self._began - self._created)[0]), 2),
            "rss_mib_at_tenths": {tenth: round(rss, 1) for tenth, rss in self.memory.items()},
        }


def run(
    quick: bool,
    *,
    videos: int = VIDEOS,
    rgb: int = CORPUS.rgb,
    model: str = MODEL,
    device: str = "auto",
) -> list[Row]:
    """Return the speeds, the memory on the way, and the memory of the best of each class."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        corpus = dataclasses.replace(CORPUS, videos=12 if quick else videos, rgb=rgb)
        write_corpus(work / "corpus", corpus, jobs=None, quiet=True)
        dataset = Dataset.open(work / "corpus", quiet=True)
        tagger = make_tagger(dataset, model, tiny=quick)
        of = f"of {len(dataset.table):,} videos"
        rows = _measured(
            f"soft labels {of}", tagger, lambda: _write_soft_labels(tagger, dataset, work, device)
        )
        rows += _measured(f"segments {of}", tagger, lambda: _predict(tagger, dataset, work, device))
    return [*rows, _best_of_classes(quick)]


def make_tagger(dataset: Dataset, model: str, *, tiny: bool) -> Tagger:
    """Return a tagger with random weights for these data."""
    sizes = model_config(model)
    streams = [(stream.name, stream.width) for stream in dataset.streams]
    config = dataclasses.replace(
        family_of(sizes).tiny if tiny else sizes,
        num_classes=dataset.num_classes,
        dims=tuple(width for _, width in streams),
    )
    names = [f"class {c}" for c in range(dataset.num_classes)]
    return Tagger(config, streams, names)


def _write_soft_labels(tagger: Tagger, dataset: Dataset, work: Path, device: str) -> Row:
    choices = TeacherConfig(per_label=8, batch_size=128, device=device)
    labels = dataset.table["labels"].to_pylist()
    mine = [
        len(row) for row, shard in zip(labels, _shards(dataset), strict=True) if "train" in shard
    ]
    probe = Probe(tagger, sum(min(choices.per_label * count, 52) for count in mine))
    write_soft_labels(tagger, dataset, work / "soft.parquet", choices)
    return probe.close()


def _predict(tagger: Tagger, dataset: Dataset, work: Path, device: str) -> Row:
    choices = InferenceConfig(videos=False, segments=True, per_class=PLACES, device=device)
    probe = Probe(tagger, 60 * len(dataset.table))
    predict(tagger, dataset, work / "p.parquet", choices, split="all")
    return probe.close()


def _shards(dataset: Dataset) -> list[str]:
    return [dataset.shards[number] for number in dataset.table["shard"].to_pylist()]


def _measured(what: str, tagger: Tagger, measure: Callable[[], Row]) -> list[Row]:
    seen = measure()
    rss = seen["rss_mib_at_tenths"]
    begin, end = rss[min(rss)], rss[max(rss)]
    millions = sum(value.numel() for value in tagger.parameters()) / 1e6
    name = f"{what}, {tagger.family} of {millions:.1f} M"
    growth = round(100 * (end / begin - 1), 2)
    fraction, bare = seen["fraction_of_bare"], f"{name}: fraction of the bare forward pass"
    grown = f"{name}: growth of resident memory from 10 % to 100 %"
    return [
        figure(name, seen["segments_per_second"], "segments/s", details=seen),
        figure(bare, fraction, "", FRACTION),
        figure(grown, growth, "%", GROWTH),
    ]


def _best_of_classes(quick: bool) -> Row:
    """Return the memory of the best K segments of each class, measured in a process of its own."""
    segments, k = (4000, 200) if quick else (200_000, 10_000)
    command = [
        sys.executable,
        "-m",
        "benchmarks.segment_scoring",
        "--places",
        f"{segments}",
        f"{k}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seen: Row = json.loads(done.stdout)
    return figure(
        f"best {k:,} of {segments:,} segments for each of 1000 classes, memory",
        round(seen["peak_mib"] - seen["base_mib"], 1),
        "MiB",
        PLACES_MEMORY,
        seen,
    )


def _keep_places(segments: int, k: int) -> Row:
    """Let so many segments with random scores stream through, and return the peak of memory."""
    random, num_classes, a_batch = np.random.default_rng(0), 1000, 60
    limit = ClassLimit(num_classes, k)
    classes = np.tile(np.arange(num_classes, dtype=np.int32), (a_batch, 1))
    start = np.arange(a_batch) * 5.0
    times = np.stack([start, start + 5], axis=1)
    base, began = process_memory("VmRSS"), time.monotonic()
    for number in range(segments // a_batch):
        scores = random.standard_normal((a_batch, num_classes), dtype=np.float32)
        limit.admit(PredictionRows.of_matrix([f"v{number}"] * a_batch, times, classes, scores))
    return {
        "base_mib": round(base / MIB, 1),
        "peak_mib": round(process_memory("VmHWM") / MIB, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def _wait() -> None:
    """Wait until a GPU has done its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _clocks() -> NDArray[np.float64]:
    """Return seconds by the clock, and of all processors together in this process."""
    return np.array([time.monotonic(), time.process_time()])


def main() -> None:
    """Measure other sizes than the default: printed, and rows of results/ next to the default's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.segment_scoring")
    parser.add_argument("--videos", type=int, default=VIDEOS)
    parser.add_argument("--rgb", type=int, default=CORPUS.rgb, help="values per second; 0 = none")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--places", type=int, nargs=2, metavar=("SEGMENTS", "K"), help="memory only"
    )
    options = parser.parse_args()
    if options.places:
        print(json.dumps(_keep_places(*options.places)))
        return
    sizes = {name: getattr(options, name) for name in ("videos", "rgb", "model", "device")}
    rows = run(options.quick, **sizes)
    STDOUT.print_json(json.dumps(rows))
    if not options.quick:
        command = shlex.join(["python", "-m", "benchmarks.segment_scoring", *sys.argv[1:]])
        write_figures("segment_scoring", rows, command)


if __name__ == "__main__":
    main()
