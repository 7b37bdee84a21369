"""Neighbours and the vectors made of them: loops in float64, worked by hand, and twins."""

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.augment.neighbours import (
    extrapolated,
    interpolated,
    nearest,
    noisy,
    pairs_by_label,
    pairs_once,
)


def loops(vectors: NDArray[np.float32], wanted: int) -> list[list[int]]:
    """Return the nearest others of each vector, by the definition, in float64."""
    found = []
    for here, vector in enumerate(vectors.astype(np.float64)):
        others = [other for other in range(len(vectors)) if other != here]
        others.sort(key=lambda other: float(((vectors[other] - vector) ** 2).sum()))
        found.append(others[:wanted])
    return found


@pytest.mark.parametrize("num_videos", [2, 7, 60])  # faiss computes 20 and more in another way
def test_nearest_equals_the_definition(num_videos: int) -> None:
    vectors = np.random.default_rng(3).standard_normal((num_videos, 5), dtype=np.float32)
    for wanted in (1, 4, 100):
        assert nearest(vectors, wanted).tolist() == loops(vectors, wanted)


def test_nearest_of_a_lone_video_is_empty_and_of_a_twin_the_other() -> None:
    assert nearest(np.ones((1, 4), np.float32), 3).shape == (1, 0)
    for number in (5, 40):
        twins = np.ones((number, 4), np.float32)
        found = nearest(twins, 2)
        assert found.shape == (number, 2)
        assert not (found == np.arange(number)[:, None]).any()


def test_pairs_hold_each_unordered_pair_once_by_the_first() -> None:
    # 0 and 1 are neighbours of each other; 2 has both; 3 has 2 and 0
    pairs = pairs_once(np.array([[1, 2], [0, 2], [0, 1], [2, 0]]))
    assert list(zip(*map(np.ndarray.tolist, pairs), strict=True)) == [
        (0, 1), (0, 2), (1, 2), (3, 2), (3, 0)
    ]  # fmt: skip


def test_pairs_stay_within_a_label_and_take_what_each_label_wants() -> None:
    # on a line: label 5 at 0, 1, 3; label 7 at 0.1, 1.1; label 9 alone
    line = np.array([[0], [0.1], [1], [1.1], [3], [9]], np.float32)
    label = np.array([5, 7, 5, 7, 5, 9], np.int32)
    wanted = np.array([1, 2, 1, 2, 1, 8], np.int32)
    pairs = pairs_by_label(line, label, wanted)
    assert pairs.source.tolist() == [0, 1, 4] and pairs.partner.tolist() == [2, 3, 2]
    nothing = pairs_by_label(line[:0], label[:0], wanted[:0])
    assert len(nothing.source) == len(nothing.partner) == 0


def test_new_vectors_worked_by_hand() -> None:
    source, partner = np.array([1, 2], np.float32), np.array([[3, -2]], np.float32)
    assert interpolated(source, partner, 0.5).tolist() == [[2, 0]]
    assert extrapolated(source, partner, 0.5).tolist() == [[0, 4]]
    assert interpolated(source, partner, 0.25).tolist() == [[1.5, 1]]
    assert interpolated(source, partner, 0.25).dtype == np.float32


def test_noisy_vectors_have_the_deviation_and_differ() -> None:
    source = np.full(500, 7, np.float32)
    drawn = noisy(source, 40, 0.03, np.random.default_rng(1)) - source
    assert drawn.shape == (40, 500) and drawn.dtype == np.float32
    # 20,000 draws: the deviation is known to 0.5 %, the mean to 0.0002; 4 sd
    assert drawn.std() == pytest.approx(0.03, rel=0.02)
    assert abs(drawn.mean()) < 0.0009
    assert len(np.unique(drawn[:, 0])) > 30
