"""How fast a data set is augmented in feature space, in what memory; and the cost of YouTube-8M.

The real shards 0000-0059 (17,499 videos of 1024 + 128 floats) are augmented by one process on one
core, once with the published pivot, which over-samples every video here, and once with the pivot
scaled to so few videos. Processor time is counted, so other processes weigh little. Memory is the
peak of a fresh process (VmHWM), libraries included.

The cost of YouTube-8M is estimated, not measured: 23,590,464 samples (the paper's count) at the
time a sample takes here, and a search among 667 videos (a label of 10,000 in one of 15 chunks) for
each of 5,001,275 videos.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.figure import figure, process_memory
from benchmarks.proofs import DATA
from benchmarks.results import Row
from reeltag.augment.neighbours import nearest, pairs_once
from reeltag.augment.output import prepare_folder, settings, works_of, write_all
from reeltag.augment.plan import YT8M_VIDEOS, PlanConfig, plan_of
from reeltag.augment.volume import chunks_of, volume_of
from reeltag.augment.writing import SampleConfig
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits

REPEATS = 3
YT8M_SAMPLES = 23_590_464
YT8M_SHARDS = 3844
MOST_OF_A_LABEL = 667  # in a chunk: 10,000 in 3844 / 256 chunks
DIM = 1024


def run(quick: bool) -> list[Row]:
    """Return the figures; `quick`: ten shards, one repeat."""
    repeats = 1 if quick else REPEATS
    rows = []
    found = dict[str, Row]()
    for pivot, name in (("auto", "pivot scaled"), ("10000", "published pivot")):
        runs = [_in_a_process(pivot, quick) for _ in range(repeats)]
        best = found[pivot] = min(runs, key=lambda run: float(run["cpu"]))
        best["best_of"] = repeats
        title = f"augment, {name} (x {best['samples'] / best['videos']:.2f})"
        rows += [
            _row(title, best["videos"] / best["cpu"], "videos/s per core", best),
            _row(title, best["samples"] / best["cpu"], "samples/s per core", best),
            _row(f"{title}, peak memory", best["peak"] / 2**20, "MiB", {"vectors": best["memory"]}),
        ]
    search = _search(10 if quick else 100)
    rows.append(_row(f"neighbours of {MOST_OF_A_LABEL}", search, "videos/s per core", {}))
    sample = found["10000"]["cpu"] / found["10000"]["samples"]
    hours = (YT8M_SAMPLES * sample + YT8M_VIDEOS / search) / 3600
    details = {"samples": YT8M_SAMPLES, "seconds_a_sample": sample, "searched_a_second": search}
    rows.append(_row("YouTube-8M, estimated", hours, "core hours", details))
    chunk = YT8M_VIDEOS * 256 / YT8M_SHARDS * 4 * 1152 / 1e9
    rows.append(_row("YouTube-8M, vectors of a chunk of 256 shards", chunk, "GB at most", {}))
    return rows


def _row(name: str, value: float, unit: str, details: Row) -> Row:
    return figure(name, float(f"{value:.4g}"), unit, details=details)


def _search(repeats: int) -> float:
    """Return how many videos per second of processor time find their 8 neighbours."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((MOST_OF_A_LABEL, DIM), dtype=np.float32)
    return MOST_OF_A_LABEL / _best(lambda: pairs_once(nearest(vectors, 8)), repeats)


def _best(work: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def _in_a_process(pivot: str, quick: bool) -> Row:
    """Augment in a fresh process of one thread; return what it measures."""
    command = [sys.executable, "-m", "benchmarks.neighbours", pivot, str(int(quick))]
    done = subprocess.run(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    found: Row = json.loads(done.stdout)
    return found


def _augment(pivot: str, quick: bool) -> Row:
    """Augment the real shards into a folder that is removed again; return times and memory."""
    data = DATA / "yt8m"
    splits = Splits(train=f"video/validate00{'0' if quick else '[0-5]'}?")
    config = PlanConfig(pivot="auto" if pivot == "auto" else float(pivot))
    sampling = SampleConfig()
    items = Dataset.open(data, splits=splits, jobs=1, quiet=True).videos()
    begin = time.process_time()
    plan = plan_of(items, config)
    chunks = chunks_of(items, sampling.chunk_shards)
    volume = volume_of(items, plan, chunks, sampling)
    planned = time.process_time() - begin
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        prepare_folder(out, items, settings(items, plan, sampling, 0))
        works = works_of(out, items, plan, chunks, sampling, 0)
        begin, wall = time.process_time(), time.perf_counter()
        write_all(items, works, jobs=1, quiet=True)
        cpu, seconds = time.process_time() - begin, time.perf_counter() - wall
        written = [path for path in out.rglob("*.tfrecord") if not path.is_symlink()]
        size = sum(path.stat().st_size for path in written)
        peak = process_memory("VmHWM")
        dataset = Dataset.open(out, jobs=1, quiet=True)
        samples = len(dataset.with_splits(splits).videos())
    return {
        "videos": len(items),
        "samples": samples,
        "cpu": cpu,
        "wall": seconds,
        "plan": planned,
        "bytes": size,
        "memory": volume.memory,
        "peak": peak,
    }


if __name__ == "__main__":
    print(json.dumps(_augment(sys.argv[1], bool(int(sys.argv[2])))))
