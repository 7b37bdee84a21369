"""Label noise: as precise and complete as its options, and the same for the same video."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.labels.corruption import corrupted
from reeltag.labels.targets import Targets

NUM_CLASSES = 200
FREQUENCIES = (1e6 / np.arange(1, NUM_CLASSES + 1)).astype(np.int64)
FREQUENCIES[7] = 0  # a class that no video has


def random_targets(num_items: int) -> tuple[Targets, list[str]]:
    """Return videos of 1 to 5 labels, frequent classes more often, and their ids."""
    rng = np.random.default_rng(0)
    share = FREQUENCIES / FREQUENCIES.sum()
    keys = rng.exponential(1, (num_items, NUM_CLASSES)) / np.maximum(share, 1e-12)
    count = rng.integers(1, 6, num_items)
    classes = keys.argsort(axis=1)[:, :5][np.arange(5) < count[:, None]]
    return Targets(np.append(0, np.cumsum(count)), classes.astype(np.int32)), [
        f"video{n}" for n in range(num_items)
    ]


@pytest.fixture(scope="module")
def clean() -> tuple[Targets, list[str]]:
    return random_targets(20_000)


def sets(targets: Targets) -> list[set[int]]:
    return [set(targets.classes[a:b].tolist()) for a, b in itertools.pairwise(targets.indptr)]


def cells(targets: Targets) -> NDArray[np.int64]:
    return targets.cells(NUM_CLASSES)


@pytest.mark.parametrize(("precision", "recall"), [(0.6, 0.5), (0.9, 1.0), (1.0, 0.3), (0.2, 0.8)])
def test_noise_has_the_given_precision_and_recall(
    clean: tuple[Targets, list[str]], precision: float, recall: float
) -> None:
    targets, ids = clean
    noisy = corrupted(targets, ids, FREQUENCIES, precision=precision, recall=recall)
    true = np.isin(cells(noisy), cells(targets))
    # recall is a binomial share of 60,000 labels. The number of wrong labels varies less than a
    # Poisson's, so the share of true ones less than a binomial one. Four standard deviations each.
    sd = np.sqrt(recall * (1 - recall) / len(targets.classes))
    assert abs(true.sum() / len(targets.classes) - recall) <= 4 * sd
    sd = np.sqrt(precision * (1 - precision) / len(noisy.classes))
    assert abs(true.mean() - precision) <= 4 * sd
    assert noisy.values is None and not noisy.weighted  # hard labels, as clean ones are


def test_noise_adds_no_label_twice_and_no_class_without_videos(
    clean: tuple[Targets, list[str]],
) -> None:
    noisy = corrupted(*clean, FREQUENCIES, precision=0.3)
    assert len(np.unique(cells(noisy))) == len(noisy.classes)
    assert not (noisy.classes == 7).any()


def test_noise_follows_class_frequencies(clean: tuple[Targets, list[str]]) -> None:
    alone = Targets(np.arange(20_001), np.full(20_000, 7, np.int32))
    noisy = corrupted(alone, clean[1], FREQUENCIES, precision=0.5, recall=1.0)
    wrong = noisy.classes[noisy.classes != 7]
    assert len(wrong) == 20_000  # one each, and the first that is drawn is never true
    expected = FREQUENCIES / FREQUENCIES.sum()
    found = np.bincount(wrong, minlength=NUM_CLASSES) / len(wrong)
    sd = np.sqrt(expected * (1 - expected) / len(wrong))
    assert (np.abs(found - expected) <= 5 * sd).all()  # 200 classes: 5 sd, once in 10^4 runs


def test_noise_is_proportional_to_the_labels_of_a_video(
    clean: tuple[Targets, list[str]],
) -> None:
    targets, ids = clean
    noisy = corrupted(targets, ids, FREQUENCIES, precision=0.5, recall=1.0)
    np.testing.assert_array_equal(noisy.counts(), 2 * targets.counts())


def test_noise_of_a_video_does_not_depend_on_other_videos(
    clean: tuple[Targets, list[str]],
) -> None:
    targets, ids = clean
    noisy = sets(corrupted(targets, ids, FREQUENCIES))
    some = np.random.default_rng(1).permutation(20_000)[:500]
    again = corrupted(targets.take(some), [ids[n] for n in some], FREQUENCIES)
    assert sets(again) == [noisy[n] for n in some]


def test_noise_depends_on_seed_and_id(clean: tuple[Targets, list[str]]) -> None:
    targets, ids = clean
    noisy = sets(corrupted(targets, ids, FREQUENCIES))
    for other in (
        corrupted(targets, ids, FREQUENCIES, seed=1),
        corrupted(targets, [f"x{name}" for name in ids], FREQUENCIES),
    ):
        assert np.mean([a == b for a, b in zip(noisy, sets(other), strict=True)]) < 0.3


def test_noise_of_precision_and_recall_one_changes_nothing(
    clean: tuple[Targets, list[str]],
) -> None:
    assert corrupted(*clean, FREQUENCIES, precision=1.0, recall=1.0) is clean[0]


def test_noise_of_a_video_with_nearly_all_classes_adds_the_remaining() -> None:
    targets = Targets(np.array([0, 3, 3]), np.array([0, 1, 2], np.int32))
    noisy = corrupted(targets, ["a", "b"], np.array([5, 5, 5, 1, 0]), precision=0.2, recall=1.0)
    assert sets(noisy) == [{0, 1, 2, 3}, set()]


def test_noise_out_of_range_and_on_ratings_raises(clean: tuple[Targets, list[str]]) -> None:
    for wrong in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match="precision must be in"):
            corrupted(*clean, FREQUENCIES, precision=wrong)
        with pytest.raises(ValueError, match="recall must be in"):
            corrupted(*clean, FREQUENCIES, recall=wrong)
    rated = replace(clean[0], values=np.zeros(len(clean[0].classes), np.float32))
    with pytest.raises(ValueError, match="not for ratings"):
        corrupted(rated, clean[1], FREQUENCIES)
