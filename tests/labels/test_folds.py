"""Folds: each video in one, each class in equal shares, whatever the order of the records."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.labels.folds import FoldConfig, _dealt, stratified_folds
from reeltag.labels.random_keys import id_keys

C, K = 60, 5


def made(num_videos: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return bounds and classes of videos with 0 to 5 labels, of very unequal frequency."""
    random = np.random.default_rng(seed)
    size = random.integers(0, 6, num_videos)
    frequency = 1 / np.arange(1, C + 1)
    labels = [random.choice(C, n, replace=False, p=frequency / frequency.sum()) for n in size]
    return np.append(0, np.cumsum(size)), np.concatenate(labels)


def keys_of(num_videos: int) -> NDArray[np.uint64]:
    return id_keys([f"v{number}" for number in range(num_videos)], 0, "folds")


def spread(
    folds: NDArray[np.integer], bounds: NDArray[np.int64], classes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (C,) how far the fold with the most or fewest of a class is from an equal share."""
    counts = np.zeros((C, K))
    np.add.at(counts, (classes, np.repeat(folds, np.diff(bounds))), 1)
    distance: NDArray[np.float64] = np.abs(counts - counts.sum(1, keepdims=True) / K).max(1)
    return distance


def test_the_folds_cover_all_videos_and_share_none() -> None:
    bounds, classes = made(1000)
    folds = stratified_folds(keys_of(1000), bounds, classes, C, K, 0)
    assert set(folds) == set(range(K)) and len(folds) == 1000
    assert np.ptp(np.bincount(folds)) <= 30  # by chance it would be 35 in the mean


def test_every_class_is_shared_out_evenly_and_better_than_by_chance() -> None:
    bounds, classes = made(2000)
    folds = stratified_folds(keys_of(2000), bounds, classes, C, K, 0)
    ours = spread(folds, bounds, classes)
    by_chance = spread(np.random.default_rng(0).integers(0, K, 2000), bounds, classes)
    # of frequent classes, dealt out last, most videos have their fold by a rarer one already
    assert (ours <= 1 + 0.015 * np.bincount(classes, minlength=C)).all()
    assert ours.max() < 4 < by_chance.max() and ours.mean() < 0.2 * by_chance.mean()


def test_dealing_one_by_one_gives_what_dealing_at_once_gives() -> None:
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


def test_a_video_that_stands_twice_is_in_one_fold() -> None:
    bounds, classes = made(600)
    keys = keys_of(300)[np.arange(600) // 2]
    folds = stratified_folds(keys, bounds, classes, C, K, 0)
    assert np.array_equal(folds[::2], folds[1::2])


def test_the_order_of_the_records_changes_nothing_and_the_seed_much() -> None:
    bounds, classes = made(500)
    keys = keys_of(500)
    folds = stratified_folds(keys, bounds, classes, C, K, 0)
    order = np.random.default_rng(1).permutation(500)
    size = np.diff(bounds)[order]
    entry = np.concatenate([np.arange(bounds[v], bounds[v + 1]) for v in order])
    moved = stratified_folds(keys[order], np.append(0, np.cumsum(size)), classes[entry], C, K, 0)
    assert np.array_equal(moved, folds[order])
    assert (stratified_folds(keys, bounds, classes, C, K, 1) != folds).mean() > 0.5


def test_without_labels_the_folds_are_of_one_size() -> None:
    folds = stratified_folds(keys_of(23), np.zeros(24, np.int64), np.empty(0, np.int64), C, K, 0)
    assert sorted(np.bincount(folds)) == [4, 4, 5, 5, 5]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"count": 1}, r"fold.count must be 0 or in \[2, 1000\], got 1"),
        ({"count": 5, "hold_out": 5}, r"fold.hold_out must be in \[0, fold.count = 5\), got 5"),
        ({"hold_out": 1}, r"fold.hold_out must be in \[0, fold.count = 0\), got 1"),
    ],
)
def test_folds_out_of_range_are_named(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        FoldConfig(**options)
