"""One score out of those of M models, for each entry (a class of a row).

Arithmetic is in double precision, with both p and 1 - p, so that logits of -200 or 200 are kept.

Letters in shapes: P entries, M models, C classes, N rows.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from reeltag.core.probability import sigmoid
from reeltag.ensembling.alignment import AlignedRows
from reeltag.predictions.file import Predictions
from reeltag.predictions.rows import Kind, PredictionRows

FLOOR = float(np.log(1e-6) - np.log1p(-1e-6))
"""Logit, in a mean of logits, of all classes of a row of which a model lists none: p = 1e-6."""
_NEAR_ONE = 1e-6  # a sum that may exceed 1: from 1 - this on, the logit rises in p itself
_RISE = 100.0  # logits for each 1.0 of p there
_FARTHEST = 700.0  # logits, beyond which exp() overflows
_AT_ONCE = 1 << 16  # pairs * M: arrays of 512 kB, which stay near the processor
_BINS = 1 << 16  # of the ranks: the upper half of a float32


def weighted(
    logits_PM: NDArray[np.float32],
    weights: NDArray[np.float64],
    classes: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Return (P,) the logit of the weighted sum of probabilities; -inf where that is not above 0.

    A sum above 1 - 1e-6, as of weights that sum to more than 1 or have one below 0, has a logit of
    log((1 - 1e-6) / 1e-6) and more, which rises with the sum, so that the order is kept.

    Args:
        logits_PM: (P, M), -inf where a model does not list the class.
        weights: (M,), or (M, C) for each class its own.
        classes: (P,).
    """
    found = np.empty(len(logits_PM), np.float32)
    step = max(1, _AT_ONCE // logits_PM.shape[1])
    for first in range(0, len(found), step):
        part = slice(first, first + step)
        own = weights if weights.ndim == 1 else weights.T[classes[part]]
        found[part] = _weighted(logits_PM[part].astype(np.float64), own)
    return found


def _weighted(
    logits_PM: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the logit of sum(w p), by way of sum(w (1 - p)); weights are (M,) or (P, M)."""
    summed = "pm,m->p" if weights.ndim == 1 else "pm,pm->p"
    yes = np.einsum(summed, sigmoid(logits_PM), weights)
    no = np.einsum(summed, sigmoid(-logits_PM), weights)
    rest = 1 - weights.sum(-1)  # of weights that do not sum to 1
    no += np.where(np.abs(rest) < 1e-9, 0, rest)
    with np.errstate(divide="ignore", invalid="ignore"):
        logits = np.log(yes) - np.log(no)
    edge = np.log1p(-_NEAR_ONE) - np.log(_NEAR_ONE)
    may_exceed = (rest < -1e-9) | (weights < 0).any(-1)
    beyond = (yes > 1 - _NEAR_ONE) & may_exceed
    logits = np.where(beyond, edge + _RISE * (yes - (1 - _NEAR_ONE)), logits)
    logits = np.clip(logits, -_FARTHEST, _FARTHEST)
    found: NDArray[np.float64] = np.where(yes > 0, logits, -np.inf)
    return found


def mean_logits(block: AlignedRows) -> NDArray[np.float32]:
    """Return (P,) the mean of the models' logits: the geometric mean of their odds.

    A class that a model does not list has the lowest score that this model gives in the row, or
    `FLOOR` where the model lists nothing in the row.
    """
    logits_PM, lengths = block.logits, block.counts()
    full = lengths > 0
    unlisted = np.isneginf(logits_PM)
    lowest = np.minimum.reduceat(
        np.where(unlisted, np.float32(np.inf), logits_PM), block.indptr[:-1][full], axis=0
    )
    lowest[np.isposinf(lowest)] = FLOOR
    floor = np.repeat(lowest, lengths[full], axis=0)
    mean: NDArray[np.float32] = np.where(unlisted, floor, logits_PM).mean(1, dtype=np.float64)
    return mean.astype(np.float32)


class Ranks:
    """The rank of each score among all scores of its model in a file, as a fraction in (0, 1).

    Scores are counted by the upper half of their bits, and within a bin the lower half decides, so
    that a higher score always has a higher rank. Memory: 512 kB per model.

    Args:
        files: M files, read once.
        kind: rows whose scores count.
    """

    def __init__(self, files: Sequence[Predictions], kind: Kind) -> None:
        self._counts = [_counted(file.rows(kind)) for file in files]

    def mean(self, block: AlignedRows) -> NDArray[np.float32]:
        """Return (P,) the logit of the mean of the models' ranks; 0 where a class is not listed."""
        total = np.zeros(len(block.classes))
        for number, counts in enumerate(self._counts):
            scores = block.logits[:, number]
            listed = ~np.isneginf(scores)
            bits = _rising(scores[listed])
            bins = bits >> np.uint32(16)
            below = np.cumsum(counts) - counts
            within = (bits & np.uint32(0xFFFF)) / 65536 * counts[bins]
            total[listed] += (below[bins] + within + 0.5) / (counts.sum() + 1)
        rank = total / len(self._counts)
        logits: NDArray[np.float64] = np.log(rank) - np.log1p(-rank)
        return logits.astype(np.float32)


def _counted(rows: Iterable[PredictionRows]) -> NDArray[np.int64]:
    counts = np.zeros(_BINS, np.int64)
    for part in rows:
        counts += np.bincount(_rising(part.scores) >> np.uint32(16), minlength=_BINS)
    return counts


def _rising(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return numbers in the order of the scores."""
    bits = np.ascontiguousarray(scores).view(np.uint32)
    top = np.uint32(1 << 31)
    rising: NDArray[np.uint32] = np.where(bits & top, ~bits, bits | top)
    return rising


def to_rows(
    block: AlignedRows, order: NDArray[np.int64], logits: NDArray[np.float32]
) -> PredictionRows:
    """Return the rows of a block with one score per entry, entries in the given order (P,)."""
    classes, scores = block.classes[order], logits[order]
    times = {"starts": block.starts, "ends": block.ends}
    return PredictionRows(block.indptr, classes, scores, ids=block.ids, **times)


def best_first(block: AlignedRows, logits: NDArray[np.float32], top_k: int = 0) -> PredictionRows:
    """Return the rows of a block, each with its best classes, those with the logit -inf left out.

    Of equal scores the lower class comes first.

    Args:
        block: the rows.
        logits: (P,) of their classes.
        top_k: classes of a row at most; 0 = all.
    """
    owner = block.row_of_entry()
    order = np.argsort(owner << 32 | ~_rising(logits), kind="stable")
    rows = to_rows(block, order, logits)
    keep = ~np.isneginf(rows.scores)
    if top_k:
        keep &= rows.place_in_row() < top_k
    return rows if keep.all() else rows.keep(keep)
