"""k-means on frames: the sample is uniform and as the model sees it, the centroids are those."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.frame_sample import count_frames, sample_frames
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader
from reeltag.layers.preprocessing import Preprocessing
from reeltag.models.kmeans_resnet import PREPROCESSING
from reeltag.training.centroids import fit_centroids, sample_features


@pytest.fixture(scope="module")
def items(corpus: Path) -> VideoSet:
    return Dataset.open(corpus, quiet=True).videos()


def every_frame(items: VideoSet) -> NDArray[np.uint8]:
    """Return all frames (N, D) in the order of the index, by way of the loader."""
    batches = Loader(items, batch_size=16)
    return np.concatenate([batch.frames[batch.mask].numpy() for batch in batches])


def test_sample_of_all_frames_is_all_frames(items: VideoSet) -> None:
    whole = np.concatenate(list(sample_frames(items, 10**6, seed=0)))
    assert len(whole) == count_frames(items)
    np.testing.assert_array_equal(whole, every_frame(items))


def test_sampled_frames_are_as_likely_and_come_once(
    items: VideoSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.data.frame_sample.AT_ONCE", 7)  # parts that cut videos in two
    number = {frame.tobytes(): at for at, frame in enumerate(every_frame(items))}
    drawn = np.zeros(len(number))
    for seed in range(40):
        sample = np.concatenate(list(sample_frames(items, 100, seed=seed)))
        places = [number[frame.tobytes()] for frame in sample]
        assert len(places) == 100 and places == sorted(set(places))
        drawn[places] += 1
    expected = 40 * 100 / len(number)
    spread = np.sqrt(expected * (1 - 100 / len(number)))
    halves = drawn[: len(drawn) // 2].mean(), drawn[len(drawn) // 2 :].mean()
    assert abs(halves[0] - halves[1]) < 4 * spread / np.sqrt(len(drawn) / 4)
    assert drawn.std() == pytest.approx(spread, rel=0.2)


def test_frames_are_as_the_model_sees_them(items: VideoSet) -> None:
    prepare = Preprocessing(PREPROCESSING, (16, 4))
    raw = np.concatenate(list(sample_frames(items, 10**6, seed=0)))
    features = sample_features(items, prepare, 10**6, seed=0)
    expected = prepare(torch.from_numpy(raw)[None], torch.ones(1, len(raw), dtype=torch.bool))
    np.testing.assert_array_equal(features, expected[0].numpy())


def test_centroids_are_the_means_of_clear_groups() -> None:
    rng = np.random.default_rng(0)
    means = np.array([[10, 0, 0], [0, 10, 0], [0, 0, 10]], np.float32)
    frames = np.repeat(means, 50, axis=0) + rng.normal(0, 0.1, (150, 3)).astype(np.float32)
    found, distance = fit_centroids(frames, 3, seed=5)
    found = found[np.argmax(found, axis=0)]
    np.testing.assert_allclose(found, frames.reshape(3, 50, 3).mean(axis=1), atol=1e-4)
    assert distance == pytest.approx(0.03, rel=0.2)


def test_as_many_frames_as_centroids_are_the_centroids() -> None:
    frames = np.random.default_rng(0).random((6, 3), np.float32)
    found, distance = fit_centroids(frames, 6)
    assert sorted(map(tuple, found)) == sorted(map(tuple, frames)) and distance < 1e-6


def test_fewer_frames_than_centroids_raise() -> None:
    with pytest.raises(ConfigError, match="7 centroids need as many frames, and the sample has 6"):
        fit_centroids(np.zeros((6, 3), np.float32), 7)
