"""A tensor as bytes: 256 numbers of its own, and for each element which of them is nearest.

    value[i] ~ codebook[codes[i]]         4 bytes an element become 1, and 1 kB a tensor

Source: Skalic & Austin 2018, "Building a size constrained predictive model" (`quantize.py` of the
authors' code): one codebook a variable, uniform between its least and greatest value or of k-means.

Letters in shapes: N elements, K = 256 numbers, W bins of a histogram.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["uniform", "kmeans"]

SIZE = 256  # numbers of a codebook
BINS = 1 << 16  # that k-means sees the elements through: 1/256 of a uniform step
ROUNDS = 100  # of k-means at most; the loss no longer moves after some 50
CHUNK = 1 << 24  # elements looked at together, so that memory stays at some 200 MB


@dataclass(frozen=True, eq=False)
class Coded:
    """A tensor in code.

    Attributes:
        codebook: (256,) float32, rising.
        codes: uint8, of the shape of the tensor.
    """

    codebook: NDArray[np.float32]
    codes: NDArray[np.uint8]

    def values(self) -> NDArray[np.float32]:
        """Return what the code stands for, float32."""
        return self.codebook[self.codes]


def coded(values: NDArray[np.float32], rule: Rule = "uniform") -> Coded:
    """Return the tensor in code, each element by the nearest number of the codebook.

    Args:
        values: float32, any shape with at least one element, finite.
        rule: "uniform": 256 numbers evenly from the least to the greatest value. "kmeans": those of
            least squared error that Lloyd's rounds come to, never worse than the uniform ones (but
            for the width of a bin, 1/65,536 of the range).

    Raises:
        ValueError: an element is not finite.
    """
    flat = np.ascontiguousarray(values).reshape(-1)
    low, high = float(flat.min()), float(flat.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("a tensor with NaN or infinity has no codebook")
    codebook = np.linspace(low, high, SIZE)
    if rule == "kmeans" and low < high:
        codebook = _k_means(flat, low, high)
    rising = codebook.astype(np.float32)
    borders = (rising[1:] + rising[:-1]) / 2
    codes = np.empty(len(flat), np.uint8)
    for start in range(0, len(flat), CHUNK):
        part = slice(start, start + CHUNK)
        codes[part] = np.searchsorted(borders, flat[part])
    return Coded(rising, codes.reshape(values.shape))


def _k_means(flat: NDArray[np.float32], low: float, high: float) -> NDArray[np.float64]:
    """Return (K,) rising, by Lloyd's rounds over the bins of a histogram.

    They begin where theory puts the numbers of many: as dense as the third root of the density of
    the elements (Panter & Dite 1951); from evenly spaced ones they would take thousands of rounds.
    """
    counts, sums = _histogram(flat, low, high)
    filled = counts > 0
    counts_W, means_W = counts[filled], sums[filled] / counts[filled]
    uniform = np.linspace(low, high, SIZE)
    if len(means_W) <= SIZE:  # so few different values that each can have its own
        return np.sort(np.concatenate([means_W, np.full(SIZE - len(means_W), means_W[-1])]))
    codebook, least, best = _spread(counts, low, high), np.inf, uniform
    for _ in range(ROUNDS):
        loss, following = _round(codebook, counts_W, means_W)
        if loss >= least * (1 - 1e-5):
            break
        least, best, codebook = loss, codebook, following
    return best if least <= _round(uniform, counts_W, means_W)[0] else uniform


def _histogram(
    flat: NDArray[np.float32], low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many elements lie in each of the bins (W,), and their sums (W,)."""
    counts, sums = np.zeros(BINS), np.zeros(BINS)
    for start in range(0, len(flat), CHUNK):
        part = flat[start : start + CHUNK].astype(np.float64)
        bins = ((part - low) * (BINS / (high - low))).astype(np.int64).clip(0, BINS - 1)
        counts += np.bincount(bins, minlength=BINS)
        sums += np.bincount(bins, part, minlength=BINS)
    return counts, sums


def _spread(counts: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Return (K,) numbers as dense as the third root of the counts, smoothed over 64 bins."""
    coarse = counts.reshape(-1, 64).sum(axis=1) ** (1 / 3)
    share = np.concatenate([[0], coarse.cumsum()]) / coarse.sum()
    edges = np.linspace(low, high, len(share))
    return np.interp((np.arange(SIZE) + 0.5) / SIZE, share, edges)


def _round(
    codebook: NDArray[np.float64], counts_W: NDArray[np.float64], means_W: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the squared error of a rising codebook, and the means of what falls to each number.

    A number to which nothing falls stays where it is.
    """
    nearest = np.searchsorted((codebook[1:] + codebook[:-1]) / 2, means_W)
    loss = float((counts_W * (means_W - codebook[nearest]) ** 2).sum())
    mass = np.bincount(nearest, counts_W, SIZE)
    total = np.bincount(nearest, counts_W * means_W, SIZE)
    return loss, np.where(mass > 0, total / np.maximum(mass, 1), codebook)
