"""From scores of seconds to labels of videos."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.data.dataset import Dataset
from reeltag.library.labelling.scores import choose_by_rank, stream_frames, top_mean
from tests.library.labelling.synthetic import seconds_of, synthetic_data


def test_video_score_is_the_mean_of_its_best_seconds() -> None:
    scores = np.array([[1, 9], [5, 0], [3, 0], [4, 0], [0, 1]], np.float32)
    np.testing.assert_allclose(top_mean(scores, 0.4), [4.5, 5])
    np.testing.assert_allclose(top_mean(scores, 0.01), [5, 9])
    np.testing.assert_allclose(top_mean(scores, 1), scores.mean(0))


def test_videos_that_stand_out_of_their_class_are_labelled() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(50, 3)) * [1, 100, 0.01] + [-50, 1000, 0]
    there = np.zeros((50, 3), bool)
    there[:5, 0] = there[3:23, 1] = True
    scores += there * 20 * [1, 100, 0.01]
    chosen = choose_by_rank(scores.astype(np.float32), 25 / 50)
    np.testing.assert_array_equal(chosen, there)


def test_number_of_labels_is_that_per_video_and_videos_without_a_score_have_none() -> None:
    scores = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)
    scores[30:] = np.nan
    chosen = choose_by_rank(scores, 1.5)
    assert chosen.sum() == 45 and not chosen[30:].any()
    assert choose_by_rank(scores, 100).sum() == (scores[:30] > np.median(scores[:30], 0)).sum()
    assert not choose_by_rank(np.full((3, 2), np.nan, np.float32), 1.0).any()


def test_seconds_without_the_stream_are_left_out(tmp_path: Path) -> None:
    frames = seconds_of(5, {1: 0}, 0)
    frames[2:4] = 0
    data = synthetic_data(tmp_path / "data", {"v": frames, "w": np.zeros((3, 8), np.float32)})
    dataset = Dataset.open(data, jobs=1, quiet=True)
    found = dict(stream_frames(dataset, dataset.features.streams[0], quiet=True))
    np.testing.assert_allclose(found["v"], frames[[0, 1, 4]], atol=0.05)
    assert found["w"].shape == (0, 8)


def test_video_that_is_longer_than_a_batch_is_read_whole(tmp_path: Path) -> None:
    data = synthetic_data(tmp_path / "data", {"v": seconds_of(50_000, {49_999: 1}, 0)})
    dataset = Dataset.open(data, jobs=1, quiet=True)
    ((_, frames),) = stream_frames(dataset, dataset.features.streams[0], quiet=True)
    assert frames.shape == (50_000, 8)
    assert frames[-1, 1] == pytest.approx(8, abs=1.5)
