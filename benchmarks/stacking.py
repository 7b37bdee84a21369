"""Trees over predictions: how fast rows are built, binned, fitted and predicted, and in how much.

Synthetic prediction files: each model lists its 50 best of 3862 classes of a video, with noise of
its own around what all know; the union of their 30 best are the candidates. Memory and speed are of
a process each. Speeds are of processor time, in one thread, since the machine may have other work;
those by the clock are in the details. Growing is given as rows * trees/s, since each tree passes
over all rows; predicting is measured for few and for many trees, since it is slower the more there
are. Peak memory (VmHWM of /proc/self/status) is counted beyond what was held before the first row.
The target is for 10 models: a row of 95 has ten times the numbers.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from benchmarks.figure import figure, process_memory
from benchmarks.results import Row
from reeltag.core.sparse import SparseRows, from_cells
from reeltag.ensembling.alignment import AlignedRows, align_predictions
from reeltag.ensembling.stacking import TreeSizes, predict_trees, train_trees
from reeltag.ensembling.tree_building import build_rows, folds_of
from reeltag.ensembling.tree_config import PUBLISHED
from reeltag.ensembling.tree_growing import bins_of, datasets_of, parameters_of
from reeltag.ensembling.tree_rows import keys_of, rows_of
from reeltag.evaluation.truth import Truth
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.rows import PredictionRows

CLASSES, LISTED, LIKELY, PORTION = 3862, 50, 70, 2000
SIZES = ((10_000, 10), (20_000, 10), (4000, 95))  # videos, models
QUICK_SIZES = ((500, 3), (1000, 3))
TARGET, TARGET_MODELS = ">= 300,000", 10  # rows/s
TREES, MANY, MANY_ROWS = 20, 500, 50_000
MIB = 1 << 20
FEW = dataclasses.replace(PUBLISHED, num_trees=TREES, threads=1)


def run(quick: bool) -> list[Row]:
    """Return the figures.

    Args:
        quick: few videos.
    """
    rows = []
    for videos, models in QUICK_SIZES if quick else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            _make(Path(folder), videos, models)
            found: Row = {}
            for name in MEASUREMENTS:
                command = [sys.executable, "-m", "benchmarks.stacking", name, folder]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found |= json.loads(done.stdout)
        rows += _figures(found, models)
    return rows


def _figures(found: Row, models: int) -> list[Row]:
    """Return what a size comes to, as rows of the table."""
    rows = found["rows"]
    what = f"{rows / 1e6:.2f} M rows of {models} models"
    target = TARGET if models == TARGET_MODELS else None

    def rate(
        name: str, key: str, work: float, unit: str = "rows/s", goal: str | None = None
    ) -> Row:
        value, by_clock = (round(work / found[at]) for at in (key, f"{key}_clock"))
        return figure(
            f"{name}, {what}", value, f"{unit}, one core", goal, {"by_the_clock": by_clock}
        )

    def memory(name: str, key: str, **details: float) -> Row:
        details = {"bytes_per_row": round(found[key] / rows, 1), **details}
        return figure(f"{name}, {what}", round(found[key] / MIB, 1), "MiB", details=details)

    growing = f"growing {TREES} trees of {FEW.num_leaves} leaves"
    estimate = round(TreeSizes.of(rows, models).memory / MIB, 1)
    return [
        rate("rows built of blocks", "built", rows, goal=target),
        rate("rows built of files, joined", "joined_and_built", rows, goal=target),
        rate("rows put into bins", "binned", rows, goal=target),
        rate(growing, "grown", found["grown_row_trees"], "rows * trees/s"),
        rate(f"predicting out of fold, {TREES} trees, written", "predicted", rows),
        rate(f"predicting, {found['many']:.0f} trees", "predicted_many", found["many_rows"]),
        memory("peak memory while trees grow", "peak", estimated_mib=estimate),
        memory("files of rows", "disk"),
    ]


def _make(folder: Path, videos: int, models: int) -> None:
    """Write a prediction file of each model, and the truth."""
    rng = np.random.default_rng(0)
    ids = [f"v{at:07d}" for at in range(videos)]
    labels = []
    with ExitStack() as stack:
        writers = [
            stack.enter_context(prediction_writer(path, PredictionInfo(num_classes=CLASSES)))
            for path in (folder / f"model-{at:03d}.parquet" for at in range(models))
        ]
        for first in range(0, videos, PORTION):
            count = min(PORTION, videos - first)
            step = CLASSES // LIKELY
            likely = rng.integers(0, step, (count, LIKELY)) + step * np.arange(LIKELY)
            logits = rng.normal(-4, 2, likely.shape).astype(np.float32)
            there = rng.random(likely.shape) < 1 / (1 + np.exp(-logits))
            labels.append(((first + np.arange(count)[:, None]) * CLASSES + likely)[there])
            for writer in writers:
                own = logits + rng.normal(0, 1, likely.shape).astype(np.float32)
                best = np.argsort(-own, axis=1)[:, :LISTED]
                classes = np.take_along_axis(likely, best, 1).astype(np.int32)
                scores = np.take_along_axis(own, best, 1).astype(np.float32)
                named = ids[first : first + count]
                writer.write(PredictionRows.of_matrix(named, None, classes, scores))
    np.savez(folder / "truth.npz", cells=np.concatenate(labels), videos=videos)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.parquet"))


def _truth(folder: Path) -> Truth:
    with np.load(folder / "truth.npz") as stored:
        cells, videos = stored["cells"], int(stored["videos"])
    ids = pa.array([f"v{at:07d}" for at in range(videos)])
    return Truth(folder, ids, CLASSES, None, SparseRows(*from_cells(cells, videos, CLASSES)))


def _streamed(folder: Path) -> dict[str, float]:
    """Fit on files: peak memory."""
    truth, config = _truth(folder), dataclasses.replace(FEW, num_trees=3)
    folds = folds_of(truth, config.folds)
    before = process_memory("VmRSS")
    about = train_trees(
        lambda: align_predictions(_files(folder), top_k=config.candidates),
        truth,
        folder / "streamed",
        config,
        folds=folds,
        quiet=True,
    ).info
    peak = process_memory("VmHWM") - before
    return {"peak": peak, "rows": about.rows, "disk": about.bytes_on_disk}


def _speed(folder: Path) -> dict[str, float]:
    """Build rows of files and of blocks, put them into bins, grow one booster, predict."""
    truth, files, config = _truth(folder), _files(folder), FEW
    folds = folds_of(truth, config.folds)
    found: dict[str, float] = {}
    for name in ("joined", "held"):
        (folder / name).mkdir()
    with clocked(found, "joined_and_built"):
        build_rows(
            lambda: align_predictions(files, top_k=config.candidates),
            truth,
            folder / "joined",
            config,
            folds,
            quiet=True,
        )
    blocks = list(align_predictions(files, top_k=config.candidates))
    with clocked(found, "built"):
        rows, _, _ = build_rows(
            lambda: iter(blocks), truth, folder / "held", config, folds, quiet=True
        )
    with clocked(found, "binned"):
        bins = bins_of(rows, config)
        cells = [rows.cells(mine, apart=False) for mine in (range(1, config.folds), [0])]
        train, _ = datasets_of(rows, bins, *cells)
    with clocked(found, "grown"):
        grown = lgb.train(parameters_of(config, 0), train, TREES)
    found["grown_row_trees"] = train.num_data() * grown.num_trees()
    halves = dataclasses.replace(config, folds=2)
    trees = train_trees(lambda: iter(blocks), truth, folder / "few", halves, quiet=True)
    with clocked(found, "predicted"):
        about = PredictionInfo(num_classes=CLASSES)
        predict_trees(blocks, trees, folder / "p.parquet", about, quiet=True)
    return found | _many(truth, blocks[0], folder)


def _many(truth: Truth, block: AlignedRows, folder: Path) -> dict[str, float]:
    """Predict with many trees: a block, out of fold."""
    config = dataclasses.replace(FEW, num_trees=MANY, patience=MANY, folds=2)
    trees = train_trees(lambda: iter([block]), truth, folder / "many", config, quiet=True)
    rows, folds = rows_of(block), trees.folds_of(keys_of(block.ids))[block.row_of_entry()]
    found: dict[str, float] = {}
    with clocked(found, "predicted_many"):
        trees.logits(rows[:MANY_ROWS], folds[:MANY_ROWS])
    found["many_rows"] = len(rows[:MANY_ROWS])
    found["many"] = float(np.mean([booster.trees for booster in trees.info.boosters]))
    return found


MEASUREMENTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "streamed": _streamed,
    "speed": _speed,
}


@contextmanager
def clocked(found: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds of a block to `found`, of the processor and by the clock."""
    begun = time.process_time(), time.monotonic()
    yield
    found[name], found[f"{name}_clock"] = (
        time.process_time() - begun[0],
        time.monotonic() - begun[1],
    )


if __name__ == "__main__":
    print(json.dumps(MEASUREMENTS[sys.argv[1]](Path(sys.argv[2]))))
