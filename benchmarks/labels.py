"""How fast label statistics are counted, from a column of labels as an index holds it.

YouTube-8M has 6.1 million videos, 3.0 labels each, 3862 classes. The synthetic lists draw every
label on its own, so that nearly every pair of classes occurs and the lists are unsorted: the
hardest case. The real lists are those of the published shards, drawn with replacement.
"""

import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figure import figure
from benchmarks.results import PROJECT, Row
from reeltag.core.sparse import SparseRows, indptr_of
from reeltag.data.index import open_index
from reeltag.data.selection import lists_of
from reeltag.labels.cooccurrence import count_cooccurrence
from reeltag.labels.correlation import Correlation

VIDEOS, CLASSES = 6_100_000, 3862
REAL = PROJECT.parent / "shared" / "data" / "yt8m" / "video"
SECONDS, MEGABYTES = "<= 10", "<= 1000"  # targets; far below a training's memory
REPEATS = 3


def run(quick: bool) -> list[Row]:
    """Return the figures; processor time, best of some runs.

    Args:
        quick: a hundredth of the videos.
    """
    videos = VIDEOS // 100 if quick else VIDEOS
    figures = _counted(f"{videos:,} synthetic lists", _synthetic(videos))
    if REAL.is_dir():
        labels = _resampled(videos)
        figures += _counted(f"{videos:,} real lists, resampled", labels)
        figures += _kept(labels)
    return figures


def _synthetic(videos: int) -> SparseRows:
    """Return lists of 3 labels on average, at least 1, the classes falling off by a power."""
    rng = np.random.default_rng(0)
    indptr = indptr_of(1 + rng.poisson(2.0, videos))
    share = 1 / (np.arange(CLASSES) + 10) ** 1.1
    drawn = rng.random(indptr[-1], np.float32)
    classes = np.searchsorted(np.cumsum(share / share.sum()).astype(np.float32), drawn)
    return SparseRows(indptr, np.minimum(classes, CLASSES - 1).astype(np.int32))


def _resampled(videos: int) -> SparseRows:
    """Return the label lists of real videos, drawn with replacement."""
    labels = SparseRows(*lists_of(open_index(REAL, quiet=True).table, "labels"))
    return labels.take(np.random.default_rng(0).integers(0, len(labels), videos))


def _counted(name: str, labels: SparseRows) -> list[Row]:
    """Return the seconds of counting, and the most memory that it held (with the result)."""
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        counts = count_cooccurrence(labels, CLASSES)
        seconds.append(time.process_time() - began)
    tracemalloc.start()  # knows the arrays of numpy
    count_cooccurrence(labels, CLASSES)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    details = {
        "labels_a_video": round(len(labels.classes) / len(labels), 2),
        "classes": CLASSES,
        "pairs": len(counts.first) // 2,
        "runs_s": [round(value, 2) for value in seconds],
        "column_mb": round((labels.indptr.nbytes + labels.classes.nbytes) / 1e6),
    }
    return [
        _rounded(f"co-occurrence of {name}", min(seconds), "s, one core", SECONDS, details),
        _rounded(f"memory in addition to the column, {name}", peak, "MB", MEGABYTES),
    ]


def _kept(labels: SparseRows) -> list[Row]:
    """Return the seconds of saving, reading and thresholding a correlation."""
    counts = count_cooccurrence(labels, CLASSES)
    names = tuple(f"class {i}" for i in range(CLASSES))
    correlation = Correlation(counts, names, len(labels))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.parquet"
        began = time.perf_counter()
        correlation.save(path)
        size, saved = path.stat().st_size, time.perf_counter()
        Correlation.load(path).implications(0.5)
        read = time.perf_counter()
    return [
        _rounded("saving them", saved - began, "s", details={"file_mb": round(size / 1e6, 2)}),
        _rounded("reading them, implications of 0.5", read - saved, "s"),
    ]


def _rounded(
    name: str,
    value: float,
    unit: str,
    target: str | None = None,
    details: dict[str, Any] | None = None,
) -> Row:
    return figure(name, round(value, 3), unit, target, details)
