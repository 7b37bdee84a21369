"""Ensembles of ten models: how fast files are blended and weights learned, and in how much memory.

Synthetic prediction files: each model lists 50 of 80 classes, of 3862, that all know of a video.
The rows are repeated every 16,384 videos; ids are not. Each measurement is a process of its own, in
processor time of all its threads, since the machine may have other work; the time by the clock,
which on a quiet machine is the shorter one, is in the details. Peak memory is VmHWM of
/proc/self/status, all libraries included. The blend is the command `reeltag blend`; weights are
learned from labels in memory, since how fast TFRecords are read is another figure (`indexing`).
"""

import contextlib
import io
import itertools
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.figure import figure, process_memory
from benchmarks.results import Row
from reeltag.cli.main import run as run_command
from reeltag.core.sparse import SparseRows, from_cells
from reeltag.ensembling.blend_model import Method
from reeltag.ensembling.blending import BlendConfig, Solver, fit_weights
from reeltag.evaluation.truth import Truth
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.rows import PredictionRows

CLASSES, LISTED, LIKELY, PORTION = 3862, 50, 80, 1 << 14
MODELS = 10
VIDEOS, FITTED_VIDEOS = 1_000_000, 100_000
QUICK_VIDEOS, QUICK_FITTED_VIDEOS = 2000, 1000
BLENDED, MEMORY, FITTED = "<= 120", "<= 4", "<= 10"  # targets: seconds, GB, seconds
METHODS, SOLVERS = ("weights", "class-weights"), ("nnls", "sgd")


def run(quick: bool) -> list[Row]:
    """Return the figures.

    Args:
        quick: few videos.
    """
    videos, fitted = (QUICK_VIDEOS, QUICK_FITTED_VIDEOS) if quick else (VIDEOS, FITTED_VIDEOS)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _make(folder, fitted)
        for method, solver in itertools.product(METHODS, SOLVERS):
            found = _measured("learn", str(folder), method, solver)
            name = f"{method} of {MODELS} models by {solver}, {fitted:,} videos x top {LISTED}"
            rows.append(_seconds(name, found, FITTED))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _make(folder, videos)
        for how in ("one order", "one file in another order"):
            found = _measured("blend", str(folder), how)
            name = f"mean of {MODELS} files of {videos:,} videos x top {LISTED}, {how}"
            rows.append(_seconds(name, found, BLENDED if how == "one order" else None))
            memory = round(found["peak"] / 1e9, 3)
            rows.append(figure(f"peak memory, {name}", memory, "GB", MEMORY))
    return rows


def _seconds(name: str, found: dict[str, float], target: str | None) -> Row:
    seconds, details = found["seconds"], {key: round(value, 2) for key, value in found.items()}
    return figure(name, round(seconds, 1), "s of processor time", target, details)


def _measured(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.blending", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _make(folder: Path, videos: int) -> None:
    """Write a file of each model, one more of the last in another order, and the truth."""
    rng = np.random.default_rng(0)
    step = CLASSES // LIKELY
    count = min(PORTION, videos)
    likely = rng.integers(0, step, (count, LIKELY)) + step * np.arange(LIKELY)
    logits = rng.normal(-4, 2, likely.shape).astype(np.float32)
    is_there = rng.random(likely.shape) < 1 / (1 + np.exp(-logits))
    known = np.flatnonzero(is_there)
    keys = known // LIKELY * CLASSES + likely.reshape(-1)[known]
    firsts = range(0, videos, count)
    cells = np.concatenate([first * CLASSES + keys for first in firsts])
    cells = cells[cells < videos * CLASSES]
    np.savez(folder / "truth.npz", cells=cells, videos=videos)
    others = rng.permutation(videos)
    with ExitStack() as stack:
        names = [f"model-{at}.parquet" for at in range(MODELS)] + ["shuffled.parquet"]
        writers = []
        for name in names:
            about = PredictionInfo(num_classes=CLASSES, top_k=LISTED, family=name)
            writers.append(stack.enter_context(prediction_writer(folder / name, about)))
        for number, writer in enumerate(writers):
            noise = rng.normal(0, 1 + number / MODELS, likely.shape)
            own = (logits + noise).astype(np.float32)
            best = np.argsort(-own, axis=1)[:, :LISTED]
            classes = np.take_along_axis(likely, best, 1).astype(np.int32)
            scores: NDArray[np.float32] = np.take_along_axis(own, best, 1)
            for first in firsts:
                here = np.arange(first, min(first + count, videos))
                places = others[here] if names[number] == "shuffled.parquet" else here
                ids, size = [_id(at) for at in places], len(here)
                rows = PredictionRows.of_matrix(ids, None, classes[:size], scores[:size])
                writer.write(rows)


def _id(number: int) -> str:
    return f"v{number:07d}"


def _blend(folder: Path, how: str) -> None:
    """Run the command on the files."""
    files = [str(folder / f"model-{at}.parquet") for at in range(MODELS)]
    if how != "one order":
        files[-1] = str(folder / "shuffled.parquet")
    out = folder / "blend.parquet"
    with contextlib.redirect_stdout(io.StringIO()):
        status = run_command(["blend", *files, "--out", str(out), "--top-k", "50", "--json"])
    if status:
        raise SystemExit(status)
    out.unlink()


def _learn(folder: Path, method: Method, solver: Solver) -> None:
    """Learn weights on files and labels."""
    with np.load(folder / "truth.npz") as stored:
        cells, videos = stored["cells"], int(stored["videos"])
    ids = pa.array([_id(at) for at in range(videos)])
    truth = Truth(folder, ids, CLASSES, None, SparseRows(*from_cells(cells, videos, CLASSES)))
    files = [folder / f"model-{at}.parquet" for at in range(MODELS)]
    fit_weights(files, truth, BlendConfig(method=method, solver=solver))


def _main(what: str, folder: str, *rest: str) -> None:
    pa.set_memory_pool(pa.system_memory_pool())
    began, busy = time.monotonic(), time.process_time()
    if what == "blend":
        _blend(Path(folder), *rest)
    else:
        method, solver = rest
        _learn(Path(folder), cast("Method", method), cast("Solver", solver))
    found = {
        "seconds": time.process_time() - busy,
        "seconds_by_clock": time.monotonic() - began,
        "peak": process_memory("VmHWM"),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    _main(*sys.argv[1:])
