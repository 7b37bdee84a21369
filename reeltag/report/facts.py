"""Numbers behind the plots: calibration, labels of the training videos, the training log.

Shape letters: V videos, C classes, N pairs of a thing and a class that was predicted for it.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.probability import sigmoid
from reeltag.core.sparse import SparseRows
from reeltag.data.selection import Records
from reeltag.labels.cooccurrence import count_cooccurrence
from reeltag.labels.correlation import Correlation

NUM_BINS = 10


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Pairs of about the same probability: their mean probability, and how many are hits."""

    mean_prob: float
    pairs: int
    hits: int

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % Wilson interval of the fraction of hits."""
        z, p, n = 1.96, self.hits / self.pairs, self.pairs
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        reach = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return middle - reach, middle + reach


class Reliability:
    """How often predictions of a probability are hits; only counts are held in memory."""

    def __init__(self) -> None:
        self._probs = np.zeros(NUM_BINS)
        self._pairs = np.zeros(NUM_BINS, np.int64)
        self._hits = np.zeros(NUM_BINS, np.int64)

    def add(self, scores: NDArray[np.float32], hits: NDArray[np.bool_]) -> None:
        """Count pairs: (N,) logits, and whether each is there."""
        probs = sigmoid(scores)
        numbers = np.minimum((probs * NUM_BINS).astype(int), NUM_BINS - 1)
        self._probs += np.bincount(numbers, probs, minlength=NUM_BINS)
        self._pairs += np.bincount(numbers, minlength=NUM_BINS)
        self._hits += np.bincount(numbers[hits], minlength=NUM_BINS)

    @property
    def pairs(self) -> int:
        """Return how many pairs were counted."""
        return int(self._pairs.sum())

    @property
    def bins(self) -> list[Bin]:
        """Return the bins of equal width that hold any pair, by rising probability."""
        return [
            Bin(mean_prob=float(self._probs[at] / self._pairs[at]), pairs=int(self._pairs[at]),
                hits=int(self._hits[at]))
            for at in np.flatnonzero(self._pairs)
        ]  # fmt: skip

    @property
    def error(self) -> float:
        """Return the expected calibration error in [0, 1]; NaN without pairs.

        That is the mean over pairs of |fraction of hits - mean probability| of the bin of each; see
        Naeini, Cooper and Hauskrecht, 2015.
        """
        if not self.pairs:
            return math.nan
        return float(np.abs(self._hits - self._probs).sum() / self.pairs)


def rows_of(wanted: pa.Array, ids: pa.Array) -> NDArray[np.int64]:
    """Return for each wanted id its row in `ids`, -1 where it is not there."""
    found = pc.fill_null(pc.index_in(wanted, value_set=ids), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


@dataclass(frozen=True, kw_only=True)
class TrainingLabels:
    """Labels of the videos that a model is trained on.

    Attributes:
        of: what these videos are called: "training videos".
        counts: (C,) videos with each label.
        correlation: which of their labels imply which.
    """

    of: str
    counts: NDArray[np.int64]
    correlation: Correlation


def read_training_labels(scored: Records, names: tuple[str, ...]) -> TrainingLabels:
    """Return the labels of the training videos; of `scored` where no shard is for training."""
    try:
        records, of = scored.dataset.select("train"), "training videos"
    except ConfigError:
        records, of = scored, "videos here with that label"
    counts = count_cooccurrence(SparseRows(*records.lists("labels")), len(names))
    correlation = Correlation(counts, names, len(records))
    return TrainingLabels(of=of, counts=counts.videos, correlation=correlation)


def read_log(run: Path | None) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the columns of RUN/metrics.csv: name -> (steps, values), of cells with a number.

    Without a run, or without its log, it is {}.
    """
    path = run / "metrics.csv" if run else None
    if path is None or not path.is_file():
        return {}
    columns: dict[str, tuple[list[float], list[float]]] = {}
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for row in csv.DictReader(file):
            step = _number(row.get("step"))
            for name, text in row.items():
                value = _number(text)
                if name != "step" and math.isfinite(step) and math.isfinite(value):
                    steps, values = columns.setdefault(name, ([], []))
                    steps.append(step)
                    values.append(value)
    return {name: (np.array(steps), np.array(values)) for name, (steps, values) in columns.items()}


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return math.nan
