"""Time and memory against the number of videos: does anything grow faster than the data?

    python -m benchmarks growth [--quick]

Few records, repeated under other ids, are 10^3 to 10^6 videos of 10 frames of 8 bytes with 3 of 100
labels (250 MB at the most, in $TMPDIR): what is measured is everything around the arithmetic. Each
command runs once for each size in a process of its own; time is the processor's, of the process
and those that it started, since other work on the machine hardly moves it; memory is the peak of
what is resident, mapped files included. `train` is one epoch of a logistic regression and its
validation; `evaluate` draws the default 200 replicates; `serve` is the time until the first page
and its list are there, of records alone, and /api/videos the 95th percentile of 20 later pages of
60 videos from all over the list.

Start-up is the time for 500 videos, and is subtracted. The slope is that of a straight line by
least squares through log(time) against log(videos), over those of the last three sizes whose time
is at least twice the start-up; where only one is, the command is not slow enough to have a slope.
A slope of 1 is a time in proportion to the data.
"""

import itertools
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.figure import figure
from benchmarks.growth_data import write_repeated, write_run
from benchmarks.results import PROJECT, Row
from benchmarks.served_process import served
from reeltag.core.console import say

EMPTY, QUICK_SIZES = 500, (1000, 2000)
SIZES = (1000, 10_000, 100_000, 300_000, 1_000_000)
SERVED = 1_000_000  # videos that are served at most
SLOPE = "<= 1.05"
RESOLVED = 2  # a time counts for a slope from so many start-ups on
PAGES, PAGE = 20, 60
MIB = 1 << 20
IMAGE = PROJECT / "docs" / "images" / "growth.svg"
Measured = dict[str, float]


def run(quick: bool) -> list[Row]:
    """Return the figures, and draw them.

    Args:
        quick: few videos, and no picture.
    """
    sizes = QUICK_SIZES if quick else SIZES
    found: dict[str, dict[int, Measured]] = {}
    for videos in (EMPTY, *sizes):
        with tempfile.TemporaryDirectory(prefix="reeltag-growth-") as folder:
            for name, measured in _measure(Path(folder), videos):
                say(f"{videos:,} videos, {name}: {measured}")
                found.setdefault(name, {})[videos] = measured
    rows = list(itertools.chain.from_iterable(rows_of(name, of) for name, of in found.items()))
    if not quick:
        draw(rows, IMAGE)
    return rows


def _measure(folder: Path, videos: int) -> Iterator[tuple[str, Measured]]:
    """Yield each command and its time and memory; in an order in which each has its inputs."""
    data, tagger = folder / "data", folder / "tagger"
    write_repeated(data, videos)
    write_run(tagger)
    part, whole = folder / "segments.parquet", folder / "videos.parquet"
    yield "index", _child("info", data, "--jobs", "1")
    yield "info", _child("info", data, "--jobs", "1")
    flags = ["--epochs", "1", "--batch-size", "256", "--log-to", "--accelerator", "cpu"]
    yield "train", _child("train", "logistic", "--data", data, "--out", folder / "run", *flags)
    every = ["--split", "all", "--batch-size", "1024", "--device", "cpu"]
    yield "predict", _child("predict", tagger, "--data", data, "--out", whole, *every)
    yield "evaluate", _child("evaluate", whole, "--data", data)
    other = folder / "other.parquet"
    shutil.copyfile(whole, other)
    yield "blend", _child("blend", whole, other, "--out", folder / "blend.parquet")
    segments = ["--no-videos", "--segments", "--segment-top-k", "20"]
    _child("predict", tagger, "--data", data, "--out", part, *every, *segments)
    options = ["--prob", "0.93", "--csv"]
    listed = [*options, folder / "moments.csv"]
    yield "moments", _child("moments", "--data", data, "--predictions", part, *listed)
    if videos <= SERVED:
        yield from _serve(data, videos)


def _child(*arguments: object) -> Measured:
    """Run a command in a process of its own, and return what it used."""
    command = [sys.executable, "-m", "reeltag", *map(str, arguments), "--json"]
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {errors.read().decode()}")
    return {
        "seconds": round(time.monotonic() - began, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mib": round(used.ru_maxrss / 1024, 1),
    }


def _serve(data: Path, videos: int) -> Iterator[tuple[str, Measured]]:
    """Yield the time until the first page and its list are there, and that of later pages."""
    began = time.monotonic()
    with served(data) as server, server.client() as client:
        client.get("/", headers={"accept": "text/html"}).raise_for_status()
        client.get("/api/videos").raise_for_status()
        seconds, cpu = time.monotonic() - began, server.cpu_seconds()
        times = []
        for page in range(PAGES):
            asked: dict[str, str | int] = {"offset": page * videos // PAGES, "limit": PAGE}
            started = time.monotonic()
            client.get("/api/videos", params=asked).raise_for_status()
            times.append(time.monotonic() - started)
        peak = round(server.peak() / MIB, 1)
    yield (
        "serve",
        {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "peak_mib": peak},
    )
    p95 = statistics.quantiles(times, n=20)[-1]
    yield "/api/videos", {"seconds": round(p95, 4), "cpu_seconds": round(p95, 4)}


def rows_of(name: str, measured: dict[int, Measured]) -> Iterator[Row]:
    """Yield the rows of a command: time and memory of the largest size, slope, growth."""
    sizes = sorted(measured)[1:]
    start, most = measured[min(measured)], measured[sizes[-1]]
    by_size = {str(size): of for size, of in measured.items()}
    details: dict[str, object] = {"by_videos": by_size}
    unit = "s of processor time" if "peak_mib" in most else "s"
    yield figure(f"{name}, {sizes[-1]:,} videos", most["cpu_seconds"], unit, details=details)
    counted = [
        n for n in sizes[-3:] if measured[n]["cpu_seconds"] >= RESOLVED * start["cpu_seconds"]
    ]
    if len(counted) > 1:
        times = [measured[n]["cpu_seconds"] - start["cpu_seconds"] for n in counted]
        about: dict[str, object] = {"videos": counted}
        yield figure(f"{name}, slope", round(slope(counted, times), 3), "", SLOPE, about)
    if "peak_mib" in most:
        yield figure(f"{name}, peak memory, {sizes[-1]:,} videos", most["peak_mib"], "MiB")
        more = (most["peak_mib"] - measured[sizes[-2]]["peak_mib"]) * MIB
        growth = more / (sizes[-1] - sizes[-2])
        yield figure(f"{name}, growth of peak memory", round(growth), "bytes per video")


def slope(sizes: list[int], values: list[float]) -> float:
    """Return the slope of the straight line through log(value) against log(size)."""
    logs = [math.log(size) for size in sizes]
    return statistics.linear_regression(logs, [math.log(of) for of in values]).slope


def draw(rows: list[Row], path: Path) -> None:
    """Draw time and memory of each command against the number of videos, both axes in logs."""
    picture = Figure(figsize=(9, 3.6), layout="constrained")
    axes = dict(zip(("cpu_seconds", "peak_mib"), picture.subplots(1, 2), strict=True))
    for row in rows:
        if by_videos := row.get("details", {}).get("by_videos"):
            for field, axis in axes.items():
                points = [(int(n), of[field]) for n, of in by_videos.items() if field in of]
                if points:
                    axis.loglog(*zip(*points, strict=True), ".-", label=row["name"].split(",")[0])
    for axis, title in zip(axes.values(), ("seconds of processor time", "peak MiB"), strict=True):
        axis.set(xlabel="videos", title=title)
        axis.grid(alpha=0.3)
    axes["cpu_seconds"].legend(fontsize="x-small")
    path.parent.mkdir(exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": path.stem}):  # the same bytes for the same figures
        picture.savefig(path, metadata={"Date": None})
