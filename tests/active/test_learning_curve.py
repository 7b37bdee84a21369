"""The gain of more ratings: right for known curves, unsure where little is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.active.learning_curve import expected_gain
from reeltag.core.errors import DataError

COUNTS = np.arange(50.0, 401, 50)


def curve(
    top: float, drop: float, exponent: float, counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(top - drop * counts**-exponent)


@pytest.mark.parametrize("known", [(0.9, 1.5, 0.5), (0.95, 1.0, 0.2), (0.7, 5.0, 0.9)])
@pytest.mark.parametrize("noise", [0, 0.01, 0.03])
def test_interval_holds_the_gain_of_a_known_curve(
    known: tuple[float, float, float], noise: float
) -> None:
    held = []
    for seed in range(40):
        scores = curve(*known, COUNTS)
        scores = scores + noise * np.random.default_rng(seed).normal(size=len(scores))
        found = expected_gain(COUNTS, scores.clip(0, 1), 50, seed=seed)
        before, after = curve(*known, np.array([400.0, 450.0]))
        assert found is not None and found.num_points == len(COUNTS) and found.more == 50
        held.append(found.low <= after - before <= found.high)
    # 95 % in the long run; of 40, 0.85 is three deviations below
    assert np.mean(held) >= 0.85


def test_flat_curve_gains_little_and_steep_one_more() -> None:
    flat = expected_gain(COUNTS, np.full(len(COUNTS), 0.8))
    steep = expected_gain(COUNTS, curve(0.9, 3, 0.4, COUNTS))
    assert flat is not None and steep is not None
    assert flat.value < 0.003 < steep.low


def test_more_points_make_the_gain_surer() -> None:
    rng = np.random.default_rng(0)
    scores = curve(0.9, 1.5, 0.5, COUNTS) + 0.01 * rng.normal(size=len(COUNTS))
    few, many = (expected_gain(COUNTS[-n:], scores[-n:]) for n in (3, 8))
    assert few is not None and many is not None
    assert many.high - many.low < few.high - few.low


def test_no_ratings_more_gain_nothing_and_more_gain_more() -> None:
    scores = curve(0.9, 1.5, 0.5, COUNTS)
    none, some, many = (expected_gain(COUNTS, scores, more) for more in (0, 50, 500))
    assert none is not None and some is not None and many is not None
    assert none.value == none.high == 0 < some.value < many.value


def test_falling_scores_promise_no_loss_and_perfect_ones_no_gain_above_1() -> None:
    falling = expected_gain([50, 100, 150], [0.9, 0.8, 0.7])
    perfect = expected_gain([50, 100, 150], [1.0, 1.0, 1.0])
    assert falling is not None and perfect is not None
    assert falling.low == 0 and perfect.high < 0.05


def test_fewer_than_3_numbers_of_ratings_tell_nothing() -> None:
    assert expected_gain([], []) is None
    assert expected_gain([50, 100, 100, 50], [0.5, 0.6, 0.6, 0.5]) is None


@pytest.mark.parametrize(
    ("counts", "scores", "more"),
    [([1, 2], [0.1], 5), ([0, 1, 2], [0.1] * 3, 5), ([1, 2, 3], [0.1, 0.2, 1.1], 5),
     ([1, 2, 3], [0.1, 0.2, np.nan], 5), ([1, 2, 3], [0.1] * 3, -1)],
)  # fmt: skip
def test_values_out_of_range_raise(counts: list[int], scores: list[float], more: int) -> None:
    with pytest.raises(DataError):
        expected_gain(counts, scores, more)
