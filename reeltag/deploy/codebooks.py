"""Tensors in one byte an element: the index of the nearest number in a codebook of 256.

    value[i] ~ codebook[codes[i]]         1 byte an element instead of 4, and 1 kB a tensor

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
BINS = 1 << 16  # of the histogram that k-means runs on: 1/256 of a uniform step
ROUNDS = 100  # of k-means at most; the loss no longer moves after some 50
CHUNK = 1 << 24  # elements processed together, so that memory stays at some 200 MB


@dataclass(frozen=True, eq=False)
class CodedTensor:
    """A tensor as codes.

    Attributes:
        codebook: (256,) float32, rising.
        codes: uint8, of the shape of the tensor.
    """

    codebook: NDArray[np.float32]
    codes: NDArray[np.uint8]

    def values(self) -> NDArray[np.float32]:
        """Return the decoded tensor, float32."""
        return self.codebook[self.codes]


def encode(values: NDArray[np.float32], rule: Rule = "uniform") -> CodedTensor:
    """Return the tensor as codes, each element that of the nearest number of the codebook.

    Args:
        values: float32, any shape with at least one element, finite.
        rule: "uniform": 256 numbers evenly spaced from the least to the greatest value.
            "kmeans": those of Lloyd's algorithm, with a squared error never above that of the
            uniform ones (up to the width of a bin, 1/65,536 of the range).

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
    return CodedTensor(rising, codes.reshape(values.shape))


def _k_means(flat: NDArray[np.float32], low: float, high: float) -> NDArray[np.float64]:
    """Return (K,) rising, by Lloyd's rounds over the bins of a histogram.

    They start at the asymptotic optimum: as dense as the third root of the density of
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
    """Return how many elements are in each of the bins (W,), and their sums (W,)."""
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
    fraction = np.concatenate([[0], coarse.cumsum()]) / coarse.sum()
    edges = np.linspace(low, high, len(fraction))
    return np.interp((np.arange(SIZE) + 0.5) / SIZE, fraction, edges)


def _round(
    codebook: NDArray[np.float64], counts_W: NDArray[np.float64], means_W: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the squared error of a rising codebook, and the mean of each number's elements.

    A number that is nearest to none stays.
    """
    nearest = np.searchsorted((codebook[1:] + codebook[:-1]) / 2, means_W)
    loss = float((counts_W * (means_W - codebook[nearest]) ** 2).sum())
    mass = np.bincount(nearest, counts_W, SIZE)
    total = np.bincount(nearest, counts_W * means_W, SIZE)
    return loss, np.where(mass > 0, total / np.maximum(mass, 1), codebook)
