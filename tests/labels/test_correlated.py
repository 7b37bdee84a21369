"""Targets from what implies what: against plain Python, and what must never change."""

from collections import defaultdict
from typing import Literal

import numpy as np
import pytest

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
        bounds=np.cumsum([0, *map(len, entries)]),
        implied=np.array([j for row in entries for j, _ in row], np.int32),
        probs=np.array([p for row in entries for _, p in row], np.float64),
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
    return targets_of(items, rest=rest), implications(rows, 60)


def test_a_rated_bmw_also_teaches_car_and_no_car_teaches_bmw() -> None:
    rated = Targets(np.array([0, 1, 2]), np.array([BMW, CAR], np.int32), rest=0.1)
    bmw, car = listed(correlated(rated, P))
    tenth = float(np.float32(0.1))
    assert bmw[BMW] == (1.0, 1.0) and car == {CAR: (1.0, 1.0)}
    assert bmw[CAR] == (float(np.float32(0.97)), tenth)
    assert bmw[WHEEL] == (float(np.float32(0.6)), tenth)
    assert ROAD not in bmw  # a wheel was not rated: nothing follows from what only followed


def test_several_positives_add_up_to_one_at_most_or_the_largest_counts() -> None:
    both = Targets(np.array([0, 2]), np.array([BMW, WHEEL], np.int32), rest=0.1)
    assert listed(correlated(both, P))[0][CAR][0] == 1.0  # 0.97 + 0.75, clipped
    assert listed(correlated(both, P, mode="max"))[0][CAR][0] == float(np.float32(0.97))
    halves = implications({BMW: {CAR: 0.25}, WHEEL: {CAR: 0.5}}, 5)
    assert listed(correlated(both, halves))[0][CAR][0] == 0.75


@pytest.mark.parametrize("weight", [None, 0.4])
@pytest.mark.parametrize("mode", ["sum", "max"])
def test_it_is_the_formula_written_as_loops(
    many: tuple[Targets, Implications], mode: Literal["sum", "max"], weight: float | None
) -> None:
    targets, matrix = many
    expected = []
    for rest, had in zip(targets.given_rest(), listed(targets), strict=True):
        shares = defaultdict[int, list[float]](list)
        for i, (value, counts) in had.items():
            if value > 0 and counts > 0:
                for j, p in zip(*matrix.of(i), strict=True):
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


def test_targets_stay_in_range_and_ratings_as_they_are(
    many: tuple[Targets, Implications],
) -> None:
    targets, matrix = many
    after = correlated(targets, matrix)
    assert after.values is not None and after.values.min() >= 0 and after.values.max() == 1
    for before, now in zip(listed(targets), listed(after), strict=True):
        rated = {c: pair for c, pair in before.items() if pair[1] > 0}
        assert {c: now[c] for c in rated} == rated
    assert len(np.unique(after.item() * 60 + after.classes)) == len(after.classes)
    np.testing.assert_array_equal(after.rest, targets.rest)


def test_a_segment_of_negative_ratings_alone_is_unchanged() -> None:
    no = targets_of([{BMW: (0.0, 1.0), WHEEL: (0.0, 1.0)}], rest=0.1)
    assert correlated(no, P) is no
    mixed = targets_of([{BMW: (0.0, 1.0), WHEEL: (1.0, 1.0)}, {BMW: (0.0, 1.0)}], rest=0.1)
    assert listed(correlated(mixed, P))[1] == {BMW: (0.0, 1.0)}
    assert listed(correlated(mixed, P))[0].keys() == {BMW, WHEEL, CAR, ROAD}


def test_a_rating_is_never_overruled() -> None:
    no_car = targets_of([{BMW: (1.0, 1.0), CAR: (0.0, 1.0)}], rest=0.1)
    assert listed(correlated(no_car, P))[0][CAR] == (0.0, 1.0)


def test_what_is_listed_but_nobody_rated_implies_nothing_and_can_be_implied() -> None:
    unrated = targets_of([{BMW: (1.0, 0.0)}, {WHEEL: (1.0, 1.0), CAR: (0.0, 0.0)}], rest=0.5)
    first, second = listed(correlated(unrated, P))
    assert first == {BMW: (1.0, 0.0)}
    assert second[CAR] == (0.75, 0.5)


def test_a_soft_label_implies_its_share() -> None:
    soft = targets_of([{WHEEL: (0.5, 1.0)}], rest=1.0)
    assert listed(correlated(soft, P))[0][CAR] == (0.375, 1.0)


def test_classes_that_do_not_count_get_no_target() -> None:
    rated = Targets(
        np.array([0, 1]), np.array([BMW], np.int32), rest=0.1, counted=np.arange(5) > CAR
    )
    assert listed(correlated(rated, P, weight=1.0))[0].keys() == {BMW, WHEEL}


def test_above_one_tau_leaves_the_targets_as_they_are(many: tuple[Targets, Implications]) -> None:
    bounds = np.array([0, 2, 4, 5])
    counts = count_cooccurrence(bounds, np.array([BMW, CAR, BMW, CAR, CAR]), 5)
    correlation = Correlation(counts, ("Car", "BMW", "wheel", "cat", "road"), 3)
    rated = Targets(np.array([0, 1]), np.array([BMW], np.int32), rest=0.1)
    assert correlated(rated, correlation.implications(1.0001)) is rated
    assert listed(correlated(rated, correlation.implications(1.0)))[0].keys() == {BMW, CAR}
    assert correlated(many[0], implications({}, 60)) is many[0]


def test_a_weight_out_of_range_is_refused() -> None:
    rated = Targets(np.array([0, 1]), np.array([BMW], np.int32))
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="weight must be >= 0"):
            correlated(rated, P, weight=weight)


def test_items_do_not_need_each_other(many: tuple[Targets, Implications]) -> None:
    targets, matrix = many
    some = np.array([7, 3, 400])
    one_way = listed(correlated(targets, matrix).taken(some))
    assert one_way == listed(correlated(targets.taken(some), matrix))
