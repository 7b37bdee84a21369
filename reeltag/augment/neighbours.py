"""New vectors around a video: between it and a neighbour, beyond it, or with noise.

    interpolated   x_i + lambda (x_j - x_i)
    extrapolated   x_i + lambda (x_i - x_j)
    noisy          x_i + sigma z, z from N(0, 1)

Source: Axon AI 2018, sec. 3.1, eq. 2 to 4 (lambda = 0.5, sigma = 0.03).

Shape letters: M videos of one label, D values a vector, P pairs, K neighbours.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reeltag.core.extras import check_extra

Vectors = NDArray[np.float32]


class Pairs(NamedTuple):
    """P pairs of videos, by source, the nearest partner first.

    Attributes:
        source: (P,) int64, number of the video that samples are around, ascending.
        partner: (P,) int64, number of its neighbour.
    """

    source: NDArray[np.int64]
    partner: NDArray[np.int64]


def nearest(vectors: Vectors, num_neighbours: int) -> NDArray[np.int64]:
    """Return (M, K) the numbers of the K nearest others of each vector, by L2, nearest first.

    Exact search (faiss IndexFlatL2), in one thread; K = min(num_neighbours, M - 1). Of vectors that
    are equally far, which comes first depends on their order alone.

    Args:
        vectors: (M, D), M >= 1, finite.
        num_neighbours: at least 0.

    Raises:
        MissingPackageError: faiss is not installed.
    """
    with check_extra("knn"):
        import faiss
    vectors = np.ascontiguousarray(vectors, np.float32)
    num_others = min(num_neighbours, len(vectors) - 1)
    if num_others < 1:
        return np.empty((len(vectors), 0), np.int64)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        index = faiss.IndexFlatL2(vectors.shape[1])
        index.add(vectors)
        _, found = index.search(vectors, num_others + 1)
    finally:
        faiss.omp_set_num_threads(threads)
    others = found != np.arange(len(vectors))[:, None]
    others[others.all(axis=1), -1] = False  # a twin was found in place of the video
    kept: NDArray[np.int64] = found[others].reshape(len(vectors), num_others)
    return kept


def pairs_once(neighbours: NDArray[np.int64]) -> Pairs:
    """Return the pairs of videos and their neighbours (M, K), every unordered pair once.

    Where two videos are neighbours of each other, the first is the source.

    >>> pairs_once(np.array([[1], [0], [1]]))
    Pairs(source=array([0, 2]), partner=array([1, 1]))
    """
    num_videos, num_neighbours = neighbours.shape
    source = np.repeat(np.arange(num_videos), num_neighbours)
    partner = neighbours.reshape(-1)
    key = np.minimum(source, partner) * num_videos + np.maximum(source, partner)
    first = np.sort(np.unique(key, return_index=True)[1])
    return Pairs(source[first], partner[first])


def pairs_by_label(
    vectors: Vectors, label: NDArray[np.int32], num_neighbours: NDArray[np.int32]
) -> Pairs:
    """Return the pairs of neighbours among videos of the same label.

    Args:
        vectors: (N, D) of all labels' videos.
        label: (N,) decision label of each.
        num_neighbours: (N,) how many to look for; the same for all videos of a label.
    """
    order = np.argsort(label, kind="stable")
    edges = np.flatnonzero(np.diff(label[order], prepend=-1, append=-1))
    found = [Pairs(np.empty(0, np.int64), np.empty(0, np.int64))]
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        members = order[start:stop]
        pairs = pairs_once(nearest(vectors[members], int(num_neighbours[members[0]])))
        found.append(Pairs(members[pairs.source], members[pairs.partner]))
    source = np.concatenate([pairs.source for pairs in found])
    partner = np.concatenate([pairs.partner for pairs in found])
    by_source = np.argsort(source, kind="stable")
    return Pairs(source[by_source], partner[by_source])


def interpolated(source: Vectors, partner: Vectors, weight: float) -> Vectors:
    """Return source + weight (partner - source); shapes broadcast."""
    return source + np.float32(weight) * (partner - source)


def extrapolated(source: Vectors, partner: Vectors, weight: float) -> Vectors:
    """Return source + weight (source - partner); shapes broadcast."""
    return source + np.float32(weight) * (source - partner)


def noisy(source: Vectors, number: int, sigma: float, rng: np.random.Generator) -> Vectors:
    """Return (number, D) copies of a vector (D,), each with Gaussian noise of its own."""
    noise = rng.standard_normal((number, len(source)), np.float32)
    return source + np.float32(sigma) * noise
