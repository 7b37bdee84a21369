"""What the page of plots shows, gathered from predictions, labels and the log of the training.

Shape letters: V videos, C classes, P pairs of a video and a class that was predicted for it.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.index import Index
from reeltag.data.selection import Records, select
from reeltag.data.splits import Splits
from reeltag.inference.predictions import Predictions
from reeltag.metrics.ranking import rank_pairs

NUM_BINS = 10
MIN_PAIRS = 5  # in a bin of the reliability curve


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Predicted (video, class) pairs, P of them, in the order of the file.

    Attributes:
        videos: (P,) row of the split's records.
        classes: (P,).
        scores: (P,) float32 logits.
        hits: (P,) bool, the class is among the video's labels.
        predicted: (V,) bool, the video has a row in the file.
        positives: (C,) videos that count and have the class as label, listed or not.
    """

    videos: NDArray[np.int64]
    classes: NDArray[np.int32]
    scores: NDArray[np.float32]
    hits: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    positives: NDArray[np.int64]

    def average_precision(self) -> NDArray[np.float64]:
        """Return (C,) the average precision of each class over the listed pairs.

        NaN where no video that counts has the class; one that is not listed counts as missed.
        """
        scores, hits = torch.from_numpy(self.scores), torch.from_numpy(self.hits)
        ranking = rank_pairs(scores, hits, torch.from_numpy(self.classes.astype(np.int64)))
        return ranking.average_precision(torch.from_numpy(self.positives)).numpy()

    def reliability(self) -> list["Bin"]:
        """Return the bins of equal width that hold at least five pairs, by rising probability."""
        chances = probability(self.scores)
        numbers = np.minimum((chances * NUM_BINS).astype(int), NUM_BINS - 1)
        bins = []
        for number in range(NUM_BINS):
            inside = numbers == number
            pairs, hits = int(inside.sum()), int(self.hits[inside].sum())
            if pairs >= MIN_PAIRS:
                bins.append(Bin(said=float(chances[inside].mean()), pairs=pairs, hits=hits))
        return bins


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Pairs of about the same probability: what was said on average, and how many were hits."""

    said: float
    pairs: int
    hits: int

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % Wilson interval of the share of hits."""
        z, share, n = 1.96, self.hits / self.pairs, self.pairs
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return middle - reach, middle + reach


def probability(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sigmoid of logits, as float64."""
    return np.asarray(0.5 * (1 + np.tanh(scores.astype(np.float64) / 2)))


def read_pairs(predictions: Predictions, records: Records, *, only_predicted: bool) -> Pairs | None:
    """Read the rows of whole videos that belong to the split; the others are left alone.

    Args:
        predictions: the file.
        records: of the split.
        only_predicted: labels of videos without a row do not count, instead of counting as missed.

    Returns:
        None where the file holds no whole videos.

    Raises:
        DataError: it does, but none of them is in the split.
    """
    if not predictions.holds("videos"):
        return None
    ids = records.table["id"].combine_chunks()
    num_classes = max(records.index.num_classes, predictions.about.num_classes)
    predicted = np.zeros(len(records), dtype=bool)
    videos, classes, scores = [], [], []
    for rows in predictions.rows("videos"):
        found = rows_of(rows.ids, ids)
        predicted[found[found >= 0]] = True
        of_pair = found[rows.row_of_pair()]
        videos.append(of_pair[of_pair >= 0])
        classes.append(rows.classes[of_pair >= 0])
        scores.append(rows.scores[of_pair >= 0])
    if not predicted.any():
        raise DataError(
            f"has no row for any video of the split {records.split!r}",
            where=predictions.path,
            hint="Give the --split and --data that the predictions were made with.",
        )
    offsets, labels = records.lists("labels")
    owners = np.repeat(np.arange(len(records)), np.diff(offsets))
    counted = predicted[owners] | (not only_predicted)
    keys = np.unique(owners * num_classes + labels)
    wanted = np.concatenate(videos) * num_classes + np.concatenate(classes)
    places = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    hits = keys[places] == wanted if len(keys) else np.zeros(len(wanted), dtype=bool)
    return Pairs(
        videos=np.concatenate(videos),
        classes=np.concatenate(classes),
        scores=np.concatenate(scores),
        hits=hits,
        predicted=predicted,
        positives=np.bincount(labels[counted], minlength=num_classes),
    )


def rows_of(wanted: pa.Array, ids: pa.Array) -> NDArray[np.int64]:
    """Return for each wanted id its row in `ids`, -1 where it is not there."""
    found = pc.fill_null(pc.index_in(wanted, value_set=ids), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def train_counts(index: Index, splits: Splits) -> NDArray[np.int64] | None:
    """Return (C,) how many training videos carry each label; None where there are none."""
    try:
        _, labels = select(index, "train", splits=splits).lists("labels")
    except ConfigError:
        return None
    return np.bincount(labels, minlength=index.num_classes)


def read_log(run: Path | None) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the columns of RUN/metrics.csv: name -> (steps, values), empty and odd cells left out.

    Without a run, or without its log, there is nothing: {}.
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
