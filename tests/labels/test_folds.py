"""Folds: each video in one, each class in equal parts, whatever the order of the records."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.sparse import SparseRows, indptr_of
from reeltag.labels.folds import FoldConfig, _dealt, stratified_folds
from reeltag.labels.random_keys import id_keys

C, K = 60, 5


def random_labels(num_videos: int, seed: int = 0) -> SparseRows:
    """Return 0 to 5 labels per video, of very unequal frequency."""
    random = np.random.default_rng(seed)
    size = random.integers(0, 6, num_videos)
    frequency = 1 / np.arange(1, C + 1)
    labels = [random.choice(C, n, replace=False, p=frequency / frequency.sum()) for n in size]
    return SparseRows(indptr_of(size), np.concatenate(labels).astype(np.int32))


def keys_of(num_videos: int) -> NDArray[np.uint64]:
    return id_keys([f"v{number}" for number in range(num_videos)], 0, "folds")


def spread(folds: NDArray[np.integer], labels: SparseRows) -> NDArray[np.float64]:
    """Return (C,) how far the fold with the most or fewest of a class is from an equal share."""
    counts = np.zeros((C, K))
    np.add.at(counts, (labels.classes, folds[labels.row_of_entry()]), 1)
    distance: NDArray[np.float64] = np.abs(counts - counts.sum(1, keepdims=True) / K).max(1)
    return distance


def test_folds_cover_all_videos_evenly() -> None:
    labels = random_labels(1000)
    folds = stratified_folds(keys_of(1000), labels, C, K, 0)
    assert set(folds) == set(range(K)) and len(folds) == 1000
    assert np.ptp(np.bincount(folds)) <= 30  # by chance it would be 35 in the mean


def test_folds_divide_every_class_better_than_chance() -> None:
    labels = random_labels(2000)
    folds = stratified_folds(keys_of(2000), labels, C, K, 0)
    ours = spread(folds, labels)
    by_chance = spread(np.random.default_rng(0).integers(0, K, 2000), labels)
    # of frequent classes, dealt out last, most videos have their fold by a rarer one already
    assert (ours <= 1 + 0.015 * np.bincount(labels.classes, minlength=C)).all()
    assert ours.max() < 4 < by_chance.max() and ours.mean() < 0.2 * by_chance.mean()


def test_dealing_at_once_equals_dealing_one_by_one() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        lacking, room = random.normal(3, 4, K), random.normal(50, 9, K)
        number = int(random.integers(0, 60))
        left, space, slow = lacking.copy(), room.copy(), np.zeros(K, int)
        for _ in range(number):  # Sechidis et al. 2011, algorithm 1, lines 9 to 22
            best = max(range(K), key=lambda k: (left[k], space[k]))
            slow[best] += 1
            left[best] -= 1
            space[best] -= 1
        assert np.array_equal(_dealt(lacking, room, number, random), slow)


def test_records_of_one_video_share_a_fold() -> None:
    labels = random_labels(600)
    keys = keys_of(300)[np.arange(600) // 2]
    folds = stratified_folds(keys, labels, C, K, 0)
    assert np.array_equal(folds[::2], folds[1::2])


def test_folds_depend_on_the_seed_and_not_on_the_order() -> None:
    labels = random_labels(500)
    keys = keys_of(500)
    folds = stratified_folds(keys, labels, C, K, 0)
    order = np.random.default_rng(1).permutation(500)
    moved = stratified_folds(keys[order], labels.take(order), C, K, 0)
    assert np.array_equal(moved, folds[order])
    assert (stratified_folds(keys, labels, C, K, 1) != folds).mean() > 0.5


def test_folds_without_labels_have_one_size() -> None:
    labels = SparseRows(np.zeros(24, np.int64), np.empty(0, np.int32))
    folds = stratified_folds(keys_of(23), labels, C, K, 0)
    assert sorted(np.bincount(folds)) == [4, 4, 5, 5, 5]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"count": 1}, r"fold.count is 1; allowed: 0, or an integer in \[2, 1000\]"),
        ({"count": 5, "hold_out": 5}, r"fold.hold_out must be in \[0, fold.count = 5\), got 5"),
        ({"hold_out": 1}, r"fold.hold_out must be in \[0, fold.count = 0\), got 1"),
    ],
)
def test_fold_options_out_of_range_raise(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        FoldConfig(**options)
