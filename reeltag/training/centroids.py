"""Centroids of frames by k-means, as models that replace a frame by the nearest one need them.

Shape letters: N frames, D widths of all streams together, K centroids.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.core.errors import ConfigError
from reeltag.core.extras import check_extra
from reeltag.core.seeding import derive_seed
from reeltag.data.frame_sample import count_frames, sample_frames
from reeltag.data.items import VideoSet
from reeltag.layers.preprocessing import Preprocessing


def sample_features(
    items: VideoSet, prepare: Preprocessing, num_frames: int, seed: int
) -> NDArray[np.float32]:
    """Return a uniform sample of frames (N, D) as a model sees them, in the order of the index.

    Args:
        items: what the frames are of.
        prepare: the model's preprocessing.
        num_frames: N; all are taken where there are fewer.
        seed: of the choice.

    Raises:
        DataError: a shard vanished, shrank or cannot be read.
    """
    num_frames = min(num_frames, count_frames(items))
    features_ND = np.empty((num_frames, sum(stream.width for stream in items.streams)), np.float32)
    parts = sample_frames(items, num_frames, derive_seed(seed, "frames"))
    done = 0
    with torch.inference_mode():
        for frames_nD in parts:
            mask_1n = torch.ones(1, len(frames_nD), dtype=torch.bool)
            features_1nD = prepare(torch.from_numpy(frames_nD)[None], mask_1n)
            features_ND[done : done + len(frames_nD)] = features_1nD[0].numpy()
            done += len(frames_nD)
    return features_ND


def fit_centroids(
    features_ND: NDArray[np.float32], num_clusters: int, *, iterations: int = 20, seed: int = 0
) -> tuple[NDArray[np.float32], float]:
    """Return K centroids (K, D), and the mean squared distance of a frame to the nearest of them.

    faiss's k-means (Lloyd's), from K frames drawn at random; a centroid that loses all its frames
    is put next to a large one.

    Args:
        features_ND: N >= K frames, finite.
        num_clusters: K.
        iterations: how often all frames are assigned again.
        seed: of the start.

    Raises:
        ConfigError: there are fewer frames than centroids.
        MissingPackageError: faiss is not installed.
    """
    with check_extra("knn"):
        import faiss
    num_frames, dim = features_ND.shape
    if num_frames < num_clusters:
        raise ConfigError(
            f"{num_clusters:,} centroids need as many frames, and the sample has {num_frames:,}",
            where="clusters",
            hint="Ask for fewer --clusters, for more --frames, or take more data.",
        )
    rng = np.random.default_rng(derive_seed(seed, "k-means"))
    start = np.sort(rng.choice(num_frames, num_clusters, replace=False))
    centroids_KD = features_ND[start]
    kmeans = faiss.Kmeans(
        dim,
        num_clusters,
        niter=1,  # a call, so that there is a progress bar, and Ctrl-C ends it
        seed=derive_seed(seed, "faiss") % 2**31,
        min_points_per_centroid=1,
        max_points_per_centroid=num_frames,  # all: the sample is ours
    )
    for _ in track(range(iterations), "k-means"):
        kmeans.train(features_ND, init_centroids=centroids_KD)
        centroids_KD = np.asarray(kmeans.centroids)
    kmeans.index.reset()
    kmeans.index.add(centroids_KD)
    distances, _ = kmeans.index.search(features_ND, 1)
    return centroids_KD, float(distances.mean())
