"""Draws from a mixture: the chance that is recorded is the chance that it was drawn with."""

from collections import Counter

import numpy as np
import pytest

from reeltag.active.drawing import UNIFORM, Race, Spread, draw_mixture

WEIGHTS = np.array([5.0, 0.0, 2.0, 1.0])
SHARES = {UNIFORM: 0.3, "heavy": 0.7}


def drawn(seed: int, count: int = 2) -> list[tuple[int, float]]:
    rng = np.random.default_rng(seed)
    parts = {UNIFORM: Race(np.ones(4), count, rng), "heavy": Race(WEIGHTS, count, rng)}
    draws = draw_mixture(parts, SHARES, count, rng)
    return list(zip(draws.rows.tolist(), draws.chances.tolist(), strict=True))


def chance(row: int, taken: tuple[int, ...]) -> float:
    left = [i for i in range(4) if i not in taken]
    heavy = WEIGHTS[row] / WEIGHTS[left].sum() if WEIGHTS[left].sum() else 1 / len(left)
    return 0.3 / len(left) + 0.7 * float(heavy)


def test_chance_of_a_draw_is_its_share_of_the_rows_that_are_left() -> None:
    for seed in range(50):
        pairs = drawn(seed, 4)
        for m, (row, found) in enumerate(pairs):
            assert found == pytest.approx(chance(row, tuple(r for r, _ in pairs[:m])), abs=1e-12)


def test_rows_are_drawn_as_often_as_their_chances_are() -> None:
    number = 4000
    seen = Counter(tuple(row for row, _ in drawn(seed)) for seed in range(number))
    for first in range(4):
        for second in set(range(4)) - {first}:
            expected = number * chance(first, ()) * chance(second, (first,))
            # 4.5 deviations of a Poisson count: one of 12 fails by chance once in 10,000 seeds
            assert abs(seen[first, second] - expected) < 4.5 * np.sqrt(expected)


def test_part_without_rows_leaves_its_share_to_random_draws() -> None:
    rng = np.random.default_rng(0)
    parts = {UNIFORM: Race(np.ones(3), 3, rng), "one": Race(np.array([0.0, 1, 0]), 3, rng)}
    draws = draw_mixture(parts, {UNIFORM: 0.01, "one": 0.99}, 3, rng)
    assert sorted(draws.rows) == [0, 1, 2]
    after = draws.rows.tolist().index(1) + 1
    assert draws.parts[after:] == (UNIFORM,) * (3 - after)
    assert draws.chances[after:].tolist() == pytest.approx([1 / (3 - m) for m in range(after, 3)])


def test_sum_of_weights_that_are_left_does_not_drift() -> None:
    weights = np.array([1e12, 1.0, 3.0])
    race = Race(weights, 3, np.random.default_rng(0))
    race.take(0)
    assert race.chance(1) == 0.25  # 1e12 + 4 - 1e12 is 4 but for rounding


def test_spread_prefers_windows_by_squared_distance_from_rated_ones() -> None:
    features = np.array([[0.0], [1.0], [3.0]], np.float32)
    windows, rated = np.array([0, 1, 2, 2]), np.zeros((1, 1), np.float32)
    spread = Spread(windows, np.array([1.0, 1.0, 1.0, 3.0]), features, rated)
    chances = [spread.chance(row) for row in range(4)]
    assert chances == pytest.approx([0, 1 / 37, 9 / 37, 27 / 37])
    spread.take(3)  # at 3: the other row there is no news, and 1 is 1 from 0
    assert [spread.chance(row) for row in range(4)] == [0, 1, 0, 0]
    spread.take(1)
    assert spread.is_used_up()


def test_spread_draws_as_often_as_its_chances_are() -> None:
    features = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    windows, weights = np.array([3, 0, 1, 1, 2, 0]), np.array([1.0, 2, 1, 4, 1, 1])
    spread, number = Spread(windows, weights, features, features[:1]), 4000
    rng = np.random.default_rng(1)
    counts = np.bincount([spread.draw(rng) for _ in range(number)], minlength=6)
    expected = number * np.array([spread.chance(row) for row in range(6)])
    assert expected.sum() == pytest.approx(number) and expected[1] == counts[1] == 0
    # 4.5 deviations: see above
    assert (np.abs(counts - expected) <= 4.5 * np.sqrt(expected)).all()
