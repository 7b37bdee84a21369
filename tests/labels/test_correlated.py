"""Correlation targets against plain Python, and the invariants of ratings."""

from collections import defaultdict
from typing import Literal

import numpy as np
import pytest

from reeltag.core.sparse import SparseRows
from reeltag.labels.cooccurrence import count_cooccurrence
from reeltag.labels.correlated import correlated
from reeltag.labels.correlation import Correlation, Implications
from reeltag.labels.targets import Targets
from tests.labels.test_targets import listed, targets_of

CAR, BMW, WHEEL, CAT, ROAD = range(5)
IMPLIED = {BMW: {CAR: 0.97, WHEEL: 0.6}, WHEEL: {CAR: 0.75, ROAD: 0.5}}


def implications(rows: dict[int, dict[int, float]], num_classes: int) -> Implications:
    entries = [sorted(rows.get(c, {}).items()) for c in range(num_classes)]
    return Implications(
        np.cumsum([0, *map(len, entries)]),
        np.array([j for row in entries for j, _ in row], np.int32),
        np.array([p for row in entries for _, p in row], np.float64),
    )


P = implications(IMPLIED, 5)


@pytest.fixture
def many() -> tuple[Targets, Implications]:
    """500 segments, some of whose ratings count less or not, and a matrix of 2000 entries."""
    rng = np.random.default_rng(0)
    items = [
        {
            int(c): (float(rng.integers(0, 2)), float(rng.integers(0, 3) / 2))
            for c in rng.choice(60, rng.integers(0, 6), replace=False)
        }
        for _ in range(500)
    ]
    rows = defaultdict[int, dict[int, float]](dict)
    for i, j, p in zip(*rng.integers(0, 60, (2, 2000)), rng.uniform(0.3, 1, 2000), strict=True):
        if i != j:
            rows[int(i)][int(j)] = float(p)
    rest = rng.random(500, np.float32)
    return targets_of(items, unlisted_weight=rest), implications(rows, 60)


def test_correlation_targets_go_from_implying_to_implied_class() -> None:
    rated = Targets(np.array([0, 1, 2]), np.array([BMW, CAR], np.int32), unlisted_weight=0.1)
    bmw, car = listed(correlated(rated, P))
    tenth = float(np.float32(0.1))
    assert bmw[BMW] == (1.0, 1.0) and car == {CAR: (1.0, 1.0)}
    assert bmw[CAR] == (float(np.float32(0.97)), tenth)
    assert bmw[WHEEL] == (float(np.float32(0.6)), tenth)
    assert ROAD not in bmw  # a wheel was not rated: nothing follows from what only followed


def test_correlation_targets_sum_to_one_at_most_or_take_the_largest() -> None:
    both = Targets(np.array([0, 2]), np.array([BMW, WHEEL], np.int32), unlisted_weight=0.1)
    assert listed(correlated(both, P))[0][CAR][0] == 1.0  # 0.97 + 0.75, clipped
    assert listed(correlated(both, P, mode="max"))[0][CAR][0] == float(np.float32(0.97))
    halves = implications({BMW: {CAR: 0.25}, WHEEL: {CAR: 0.5}}, 5)
    assert listed(correlated(both, halves))[0][CAR][0] == 0.75


@pytest.mark.parametrize("weight", [None, 0.4])
@pytest.mark.parametrize("mode", ["sum", "max"])
def test_correlation_targets_equal_loops(
    many: tuple[Targets, Implications], mode: Literal["sum", "max"], weight: float | None
) -> None:
    targets, matrix = many
    expected = []
    for rest, had in zip(targets.unlisted_weights(), listed(targets), strict=True):
        shares = defaultdict[int, list[float]](list)
        for i, (value, counts) in had.items():
            if value > 0 and counts > 0:
                row = matrix.slice(i, i + 1)
                for j, p in zip(row.classes, row.values, strict=True):
                    if had.get(int(j), (0, 0))[1] == 0:
                        shares[int(j)].append(p)
        total = {
            j: min(1, sum(all_p) if mode == "sum" else max(all_p)) for j, all_p in shares.items()
        }
        given = float(np.float32(rest if weight is None else weight))
        expected.append(had | {j: (total[j], given) for j in total})
    found = listed(correlated(targets, matrix, mode=mode, weight=weight))
    assert [item.keys() for item in found] == [item.keys() for item in expected]
    for mine, theirs in zip(found, expected, strict=True):
        for c in mine:
            assert mine[c] == pytest.approx(theirs[c], rel=1e-6)  # stored as float32


def test_correlation_targets_stay_in_range_and_keep_ratings(
    many: tuple[Targets, Implications],
) -> None:
    targets, matrix = many
    after = correlated(targets, matrix)
    assert after.values is not None and after.values.min() >= 0 and after.values.max() == 1
    for before, now in zip(listed(targets), listed(after), strict=True):
        rated = {c: pair for c, pair in before.items() if pair[1] > 0}
        assert {c: now[c] for c in rated} == rated
    assert len(np.unique(after.cells(60))) == len(after.classes)
    np.testing.assert_array_equal(after.unlisted_weight, targets.unlisted_weight)


def test_negative_ratings_imply_nothing() -> None:
    no = targets_of([{BMW: (0.0, 1.0), WHEEL: (0.0, 1.0)}], unlisted_weight=0.1)
    assert correlated(no, P) is no
    mixed = targets_of(
        [{BMW: (0.0, 1.0), WHEEL: (1.0, 1.0)}, {BMW: (0.0, 1.0)}], unlisted_weight=0.1
    )
    assert listed(correlated(mixed, P))[1] == {BMW: (0.0, 1.0)}
    assert listed(correlated(mixed, P))[0].keys() == {BMW, WHEEL, CAR, ROAD}


def test_correlation_targets_never_replace_a_rating() -> None:
    no_car = targets_of([{BMW: (1.0, 1.0), CAR: (0.0, 1.0)}], unlisted_weight=0.1)
    assert listed(correlated(no_car, P))[0][CAR] == (0.0, 1.0)


def test_entries_of_weight_zero_imply_nothing_and_can_be_implied() -> None:
    unrated = targets_of(
        [{BMW: (1.0, 0.0)}, {WHEEL: (1.0, 1.0), CAR: (0.0, 0.0)}], unlisted_weight=0.5
    )
    first, second = listed(correlated(unrated, P))
    assert first == {BMW: (1.0, 0.0)}
    assert second[CAR] == (0.75, 0.5)


def test_soft_labels_imply_in_proportion() -> None:
    soft = targets_of([{WHEEL: (0.5, 1.0)}], unlisted_weight=1.0)
    assert listed(correlated(soft, P))[0][CAR] == (0.375, 1.0)


def test_masked_classes_get_no_correlation_target() -> None:
    rated = Targets(
        np.array([0, 1]),
        np.array([BMW], np.int32),
        unlisted_weight=0.1,
        class_mask=np.arange(5) > CAR,
    )
    assert listed(correlated(rated, P, weight=1.0))[0].keys() == {BMW, WHEEL}


def test_tau_above_one_leaves_targets_unchanged(many: tuple[Targets, Implications]) -> None:
    labels = SparseRows(np.array([0, 2, 4, 5]), np.array([BMW, CAR, BMW, CAR, CAR], np.int32))
    counts = count_cooccurrence(labels, 5)
    correlation = Correlation(counts, ("Car", "BMW", "wheel", "cat", "road"), 3)
    rated = Targets(np.array([0, 1]), np.array([BMW], np.int32), unlisted_weight=0.1)
    assert correlated(rated, correlation.implications(1.0001)) is rated
    assert listed(correlated(rated, correlation.implications(1.0)))[0].keys() == {BMW, CAR}
    assert correlated(many[0], implications({}, 60)) is many[0]


def test_correlation_weight_out_of_range_raises() -> None:
    rated = Targets(np.array([0, 1]), np.array([BMW], np.int32))
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="weight must be >= 0"):
            correlated(rated, P, weight=weight)


def test_correlation_targets_do_not_depend_on_other_items(
    many: tuple[Targets, Implications],
) -> None:
    targets, matrix = many
    some = np.array([7, 3, 400])
    one_way = listed(correlated(targets, matrix).take(some))
    assert one_way == listed(correlated(targets.take(some), matrix))


@pytest.mark.parametrize("mode", ["sum", "max"])
def test_share_scales_implied_targets_alone(
    many: tuple[Targets, Implications], mode: Literal["sum", "max"]
) -> None:
    targets, matrix = many
    whole, tenth = (correlated(targets, matrix, mode=mode, share=of) for of in (1.0, 0.1))
    pairs = zip(listed(targets), listed(whole), listed(tenth), strict=True)
    for had, full, small in pairs:
        assert small.keys() == full.keys()
        for c, (value, weight) in full.items():
            stays = had.get(c) == (value, weight)
            expected = value if stays else pytest.approx(0.1 * value, rel=1e-6)
            assert small[c] == (expected, weight)
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\]"):
        correlated(targets, matrix, share=1.5)
