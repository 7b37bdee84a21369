"""Trees over predictions: how fast rows are built, binned, fitted and predicted, and in how much.

Made prediction files: each model lists its 50 best of 3862 classes of a video, with noise of its
own around what all know; the union of their 30 best are the candidates. Memory and speed are
of a process each. Speeds are of processor time, in one thread, since the machine may have other
work; those by the clock stand in the details. Growing is told as rows * trees a second, since each
tree passes over all rows; predicting is told for few and for many trees, since it is slower the
more there are. Peak memory (VmHWM of /proc/self/status) is told beyond what was held before the
first row. The bar is for 10 models: a row of 95 has ten times the numbers.
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
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from reeltag.ensembling.joining import Block, joined
from reeltag.ensembling.stacking import Sizes, predict_trees, train_trees
from reeltag.ensembling.tree_bins import bins_of, datasets_of, parameters_of
from reeltag.ensembling.tree_building import build_rows, folds_of
from reeltag.ensembling.tree_config import PUBLISHED
from reeltag.ensembling.tree_rows import keys_of, rows_of
from reeltag.evaluation.truth import Truth
from reeltag.predictions.file import About, Rows, prediction_writer

CLASSES, LISTED, LIKELY, PORTION = 3862, 50, 70, 2000
SIZES = ((10_000, 10), (20_000, 10), (4000, 95))  # videos, models
QUICK_SIZES = ((500, 3), (1000, 3))
BAR, BARRED_MODELS = 300_000, 10  # rows a second
TREES, MANY, MANY_ROWS = 20, 500, 50_000
MIB = 1 << 20
FEW = dataclasses.replace(PUBLISHED, num_trees=TREES, threads=1)


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the figures.

    Args:
        quick: few videos, no bars.
    """
    figures = []
    for videos, models in QUICK_SIZES if quick else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            _make(Path(folder), videos, models)
            told: dict[str, Any] = {}
            for name in MEASUREMENTS:
                command = [sys.executable, "-m", "benchmarks.stacking", name, folder]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                told |= json.loads(done.stdout)
        figures += _figures(told, models)
    return figures


def _figures(told: dict[str, Any], models: int) -> list[dict[str, Any]]:
    """Return what a size came to, as rows of the table."""
    rows = told["rows"]
    what = f"{rows / 1e6:.2f} M rows of {models} models"
    barred = models == BARRED_MODELS
    figures: list[dict[str, Any]] = []
    for name, key, work, unit in (
        ("rows built of blocks", "built", rows, "rows/s"),
        ("rows built of files, joined", "joined_and_built", rows, "rows/s"),
        ("rows put into bins", "binned", rows, "rows/s"),
        (
            f"growing {TREES} trees of {FEW.num_leaves} leaves",
            "grown",
            told["grown_row_trees"],
            "rows * trees/s",
        ),
        (f"predicting out of fold, {TREES} trees, written", "predicted", rows, "rows/s"),
        (f"predicting, {told['many']:.0f} trees", "predicted_many", told["many_rows"], "rows/s"),
    ):
        value, by_clock = (round(work / told[at]) for at in (key, f"{key}_clock"))
        row = {"name": f"{name}, {what}", "value": value, "unit": f"{unit}, one core"}
        if barred and unit == "rows/s" and key in ("built", "joined_and_built", "binned"):
            row |= {"bar": f">= {BAR:,}", "met": value >= BAR}
        figures.append(row | {"details": {"by_the_clock": by_clock}})
    foretold = Sizes.of(rows, models)
    figures += [
        {
            "name": f"peak memory while trees grow, {what}",
            "value": round(told["peak"] / MIB, 1),
            "unit": "MiB",
            "details": {
                "bytes_a_row": round(told["peak"] / rows, 1),
                "foretold_mib": round(foretold.memory / MIB, 1),
            },
        },
        {
            "name": f"files of rows, {what}",
            "value": round(told["disk"] / MIB, 1),
            "unit": "MiB",
            "details": {"bytes_a_row": round(told["disk"] / rows, 1)},
        },
    ]
    return figures


def _make(folder: Path, videos: int, models: int) -> None:
    """Write a prediction file of each model, and the truth."""
    rng = np.random.default_rng(0)
    ids = [f"v{at:07d}" for at in range(videos)]
    labels = []
    with ExitStack() as stack:
        writers = [
            stack.enter_context(prediction_writer(path, About(num_classes=CLASSES)))
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
                said = logits + rng.normal(0, 1, likely.shape).astype(np.float32)
                best = np.argsort(-said, axis=1)[:, :LISTED]
                classes = np.take_along_axis(likely, best, 1).astype(np.int32)
                scores = np.take_along_axis(said, best, 1).astype(np.float32)
                named = ids[first : first + count]
                writer.write(Rows.of_matrix(named, None, classes, scores))
    np.savez(folder / "truth.npz", label_keys=np.concatenate(labels), videos=videos)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.parquet"))


def _truth(folder: Path) -> Truth:
    with np.load(folder / "truth.npz") as made:
        label_keys, videos = made["label_keys"], int(made["videos"])
    none = np.zeros(0, np.int64)
    ids = pa.array([f"v{at:07d}" for at in range(videos)])
    return Truth(folder, ids, CLASSES, None, label_keys, none, none, none.astype(bool))


def _streamed(folder: Path) -> dict[str, float]:
    """Fit on files: peak memory."""
    truth, config = _truth(folder), dataclasses.replace(FEW, num_trees=3)
    folds = folds_of(truth, config.folds)
    before = _status("VmRSS")
    about = train_trees(
        lambda: joined(_files(folder), top_k=config.candidates),
        truth,
        folder / "streamed",
        config,
        folds=folds,
        quiet=True,
    ).about
    peak = _status("VmHWM") - before
    return {"peak": peak, "rows": about.rows, "disk": about.bytes_on_disk}


def _speed(folder: Path) -> dict[str, float]:
    """Build rows of files and of blocks, put them into bins, grow one booster, predict."""
    truth, files, config = _truth(folder), _files(folder), FEW
    folds = folds_of(truth, config.folds)
    told: dict[str, float] = {}
    for name in ("joined", "held"):
        (folder / name).mkdir()
    with clocked(told, "joined_and_built"):
        build_rows(
            lambda: joined(files, top_k=config.candidates),
            truth,
            folder / "joined",
            config,
            folds,
            quiet=True,
        )
    blocks = list(joined(files, top_k=config.candidates))
    with clocked(told, "built"):
        rows, _, _ = build_rows(
            lambda: iter(blocks), truth, folder / "held", config, folds, quiet=True
        )
    with clocked(told, "binned"):
        bins = bins_of(rows, config)
        cells = [rows.cells(mine, apart=False) for mine in (range(1, config.folds), [0])]
        train, _ = datasets_of(rows, bins, *cells)
    with clocked(told, "grown"):
        grown = lgb.train(parameters_of(config, 0), train, TREES)
    told["grown_row_trees"] = train.num_data() * grown.num_trees()
    halves = dataclasses.replace(config, folds=2)
    trees = train_trees(lambda: iter(blocks), truth, folder / "few", halves, quiet=True)
    with clocked(told, "predicted"):
        about = About(num_classes=CLASSES)
        predict_trees(blocks, trees, folder / "p.parquet", about, quiet=True)
    return told | _many(truth, blocks[0], folder)


def _many(truth: Truth, block: Block, folder: Path) -> dict[str, float]:
    """Predict with many trees: a block, out of fold."""
    config = dataclasses.replace(FEW, num_trees=MANY, patience=MANY, folds=2)
    trees = train_trees(lambda: iter([block]), truth, folder / "many", config, quiet=True)
    rows, folds = rows_of(block), trees.folds_of(keys_of(block.ids))[block.row_of_pair()]
    told: dict[str, float] = {}
    with clocked(told, "predicted_many"):
        trees.logits(rows[:MANY_ROWS], folds[:MANY_ROWS])
    told["many_rows"] = len(rows[:MANY_ROWS])
    told["many"] = float(np.mean([booster.trees for booster in trees.about.boosters]))
    return told


MEASUREMENTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "streamed": _streamed,
    "speed": _speed,
}


@contextmanager
def clocked(told: dict[str, float], name: str) -> Iterator[None]:
    """Write down the seconds of a block, of the processor and by the clock."""
    begun = time.process_time(), time.monotonic()
    yield
    told[name], told[f"{name}_clock"] = (
        time.process_time() - begun[0],
        time.monotonic() - begun[1],
    )


def _status(name: str) -> int:
    """Return a figure of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


if __name__ == "__main__":
    print(json.dumps(MEASUREMENTS[sys.argv[1]](Path(sys.argv[2]))))
