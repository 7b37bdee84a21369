"""Resident memory of `predict` over few and over many videos: it must not grow with the data.

Each size is `reeltag predict` in a fresh process on a synthetic frame-level corpus (1024 + 128
bytes per second, 10 to 30 seconds, videos and segments scored, an expert mixture of 200 classes).
Reported is the peak of all resident memory (VmHWM of /proc/self/status: what ru_maxrss and
container limits see, files mapped into memory included) and the peak of anonymous memory alone
(RssAnon, sampled every 5 ms). The index alone grows: some 400 bytes per video.
"""

import contextlib
import dataclasses
import io
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import torch

from benchmarks.figure import figure, process_memory
from benchmarks.results import Row
from reeltag.cli.main import run as run_command
from reeltag.core.files import write_json
from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.models import model_config
from reeltag.tagger.tagger import Tagger

TARGET = "< 10 %"
CORPUS = SynthConfig(classes=200, min_frames=10, max_frames=30)
MIB = 1 << 20


def run(quick: bool) -> list[Row]:
    few, many = (200, 1000) if quick else (2000, 40_000)
    with tempfile.TemporaryDirectory() as folder:
        peaks = {number: _measure(Path(folder), number) for number in (few, many)}
    rows = []
    for kind in ("resident", "anonymous"):
        growth = 100 * (peaks[many][kind] / peaks[few][kind] - 1)
        rows += [
            figure(
                f"predict, peak {kind} memory, {number:,} videos",
                round(peaks[number][kind] / MIB, 1),
                "MiB",
                details=peaks[number],
            )
            for number in (few, many)
        ]
        name = f"predict, growth of {kind} memory from {few:,} to {many:,} videos"
        target = TARGET if kind == "resident" else None
        rows.append(figure(name, round(growth, 2), "%", target))
    return rows


def _measure(folder: Path, num_videos: int) -> dict[str, float]:
    """Return the peaks in bytes of a process that predicts over so many videos."""
    corpus = folder / f"corpus{num_videos}"
    write_corpus(corpus, dataclasses.replace(CORPUS, videos=num_videos), jobs=None, quiet=True)
    dataset = Dataset.open(corpus, quiet=True)  # built here, so that only `predict` is measured
    checkpoint = folder / f"run{num_videos}"
    _save_tagger(checkpoint, [(stream.name, stream.width) for stream in dataset.streams])
    arguments = ["--data", str(corpus), "--out", str(folder / "p.parquet"), "--overwrite"]
    command = [sys.executable, "-m", "benchmarks.prediction_memory", str(checkpoint), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peaks: dict[str, float] = json.loads(done.stdout)
    return peaks


def _save_tagger(checkpoint: Path, streams: list[tuple[str, int]]) -> None:
    """Write a run folder with random weights."""
    torch.manual_seed(0)
    dims = tuple(width for _, width in streams)
    config = model_config("moe", num_classes=CORPUS.classes, dims=dims)
    names = [f"class {c}" for c in range(CORPUS.classes)]
    tagger = Tagger(config, streams, names)
    checkpoint.mkdir()
    tagger.save_weights(checkpoint)
    tagger.save_classes(checkpoint)
    write_json(checkpoint / "config.json", tagger.describe())


def _predict(arguments: list[str]) -> dict[str, float]:
    """Run `reeltag predict` in this process and return its peaks in bytes."""
    stop, anonymous = threading.Event(), [0]

    def sample() -> None:
        while not stop.wait(0.005):
            anonymous[0] = max(anonymous[0], process_memory("RssAnon"))

    sampling = threading.Thread(target=sample)
    sampling.start()
    options = ["--split", "all", "--segments", "--segment-top-k", "20", "--device", "cpu", "--json"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = run_command(["predict", *arguments, *options])
    stop.set()
    sampling.join()
    if status:
        raise SystemExit(status)
    found = json.loads(printed.getvalue())
    return {
        "resident": process_memory("VmHWM"),
        "anonymous": anonymous[0],
        "videos": found["video_rows"],
        "segments": found["segment_rows"],
        "seconds": round(found["seconds"], 1),
    }


if __name__ == "__main__":
    print(json.dumps(_predict(sys.argv[1:])))
