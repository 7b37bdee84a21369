"""Estimates from chosen ratings: right for all windows, and as sure as they say."""

import functools
import itertools
from collections.abc import Callable

import numpy as np
import pytest

from reeltag.active.estimates import (
    DrawnRatings,
    WeightedEstimate,
    average_precision,
    levelled_weights,
    precision_at,
    recall_at,
)
from reeltag.active.policies import Candidates, PolicyName, choose
from reeltag.core.errors import DataError

RUNS = 400
_rng = np.random.default_rng(5)
VIDEOS = np.repeat(np.arange(200), 20)  # windows of a video are alike: positives, and scores
POSITIVE = _rng.random(4000) < 1 / (1 + np.exp(3 - _rng.normal(size=200)[VIDEOS]))
SCORES = _rng.normal(size=4000) + 2.5 * POSITIVE + 0.4 * _rng.normal(size=200)[VIDEOS] - 2
ABOVE = SCORES >= 0


def _average_precision() -> float:
    hits = POSITIVE[np.argsort(-SCORES)]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


FIGURES: dict[str, tuple[Callable[[DrawnRatings], WeightedEstimate | None], float]] = {
    "precision": (lambda of: precision_at(of, 0), POSITIVE[ABOVE].mean()),
    "recall": (lambda of: recall_at(of, 0), ABOVE[POSITIVE].mean()),
    "average precision": (average_precision, _average_precision()),
}


@functools.cache
def drawn(policy: PolicyName) -> list[DrawnRatings]:
    """Return what 400 people rated, who rated 120 windows each."""
    everything = Candidates(
        windows=np.arange(4000), classes=np.zeros(4000, np.int64), logits=SCORES
    )
    found = []
    for run in range(RUNS):
        choice = choose(everything, 120, policy, np.random.default_rng(run))
        rows, weights = choice.rows, 1 / choice.chances
        found.append(
            DrawnRatings(SCORES[rows], POSITIVE[rows], weights=weights, videos=VIDEOS[rows])
        )
    return found


@pytest.mark.parametrize("policy", ["random", "balanced"])
@pytest.mark.parametrize("name", FIGURES)
def test_interval_holds_the_figure_of_all_windows(name: str, policy: PolicyName) -> None:
    figure, true = FIGURES[name]
    found = [each for each in map(figure, drawn(policy)) if each is not None]
    covered = [each.low <= true <= each.high for each in found]
    assert len(found) == RUNS and np.mean(covered) >= 0.93
    # ratios are biased by about 1 / number: less than a quarter of an interval's half
    half = np.mean([each.high - each.low for each in found]) / 2
    assert abs(np.mean([each.value for each in found]) - true) < half / 4


def test_chosen_ratings_without_weights_would_mislead() -> None:
    figure, true = FIGURES["recall"]
    everything = Candidates(
        windows=np.arange(4000), classes=np.zeros(4000, np.int64), logits=SCORES
    )
    rows = choose(everything, 400, "likely", np.random.default_rng(0)).rows
    plain = figure(DrawnRatings(SCORES[rows], POSITIVE[rows], videos=VIDEOS[rows]))
    assert plain is not None and plain.low > true


def test_weight_stands_for_so_many_windows() -> None:
    few = DrawnRatings([2, 1, 0, -1], [1, 0, 1, 0], weights=[1, 3, 2, 5])
    copied = DrawnRatings(np.repeat([2, 1, 0, -1], [1, 3, 2, 5]), [1, 0, 0, 0, 1, 1, *[0] * 5])
    for figure in (precision_at, recall_at):
        weighted, plain = figure(few, 0.5), figure(copied, 0.5)
        assert weighted is not None and plain is not None
        assert weighted.value == pytest.approx(plain.value)
        assert (weighted.num_ratings, plain.num_ratings) == (4, 11)


def test_average_precision_counts_half_of_a_rating_in_its_own_precision() -> None:
    found = average_precision(DrawnRatings([3, 2, 1], [1, 0, 1], weights=[2, 1, 4]))
    assert found is not None
    assert found.value == pytest.approx((2 * 1 + 4 * (2 + 2) / (2 + 1 + 2)) / 6)


def test_ratings_of_one_video_tell_less_than_independent_ones() -> None:
    scores, hits = np.arange(40) % 7 - 3.0, np.arange(40) < 20
    for figure in (lambda of: precision_at(of, 0), lambda of: recall_at(of, 0), average_precision):
        alone = figure(DrawnRatings(scores, hits))
        together = figure(DrawnRatings(scores, hits, videos=np.arange(40) // 5))
        assert alone is not None and together is not None
        assert together.high - together.low > 1.2 * (alone.high - alone.low)


def test_copies_in_a_video_tell_nothing_more() -> None:
    scores, hits = np.arange(60) % 7 - 3.0, np.arange(60) % 3 > 0
    once = precision_at(DrawnRatings(scores, hits), 0)
    twice = DrawnRatings(np.repeat(scores, 2), np.repeat(hits, 2), videos=np.arange(120) // 2)
    found = precision_at(twice, 0)
    assert once is not None and found is not None
    # the same but for what is allowed for one more rating, which weighs half as much
    assert found.low == pytest.approx(once.low, abs=0.005)
    assert found.high == pytest.approx(once.high, abs=0.005)


def test_figure_without_its_ratings_is_none() -> None:
    negative = DrawnRatings([1, 2], [0, 0])
    assert precision_at(negative, 3) is None and recall_at(negative, 0) is None
    assert average_precision(negative) is None
    empty = DrawnRatings([], [])
    assert precision_at(empty, 0) is recall_at(empty, 0) is average_precision(empty) is None


def test_figures_of_perfect_ratings_are_not_above_1_by_rounding() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        number = int(rng.integers(6, 40))
        is_positive = np.arange(number) < number // 2
        ratings = DrawnRatings(
            is_positive + rng.random(number) / 2,
            is_positive,
            weights=1 / rng.uniform(0.01, 1, number),
            videos=np.arange(number) % 5,
        )
        for found in (average_precision(ratings), precision_at(ratings, 0.9)):
            assert found is not None and 0.999 < found.value <= 1


def test_perfect_ratings_leave_doubt() -> None:
    every = DrawnRatings([1, 2, 3], [1, 1, 1], weights=[1, 1, 9])
    for found in (precision_at(every, 0), recall_at(every, 0), average_precision(every)):
        assert found is not None and found.value == pytest.approx(1)
        assert found.low < 0.3 and found.high == 1


def test_levelled_weights_are_unbiased_for_any_way_to_choose() -> None:
    """All orders of 2 draws of 4, the second chosen in view of the first, by their chances."""
    values = np.array([1.0, 0, 5, 2])
    mean = 0.0
    for first, second in itertools.permutations(range(4), 2):
        q1 = np.array([0.1, 0.2, 0.3, 0.4])
        q2 = np.where(np.arange(4) == first, 0, np.array([4.0, 1, 2, 3]) + (first == 2))
        q2 /= q2.sum()
        weights = levelled_weights([q1[first], q2[second]], 4)
        mean += q1[first] * q2[second] * float((weights * values[[first, second]]).mean())
    assert mean == pytest.approx(values.mean())


def test_levelled_weights_of_all_pairs_are_1() -> None:
    assert levelled_weights([0.1, 0.9, 1], 3).tolist() == [1, 1, 1]


@pytest.mark.parametrize(("chances", "pool"), [([0.0], 5), ([1.2], 5), ([0.5, 1], 1)])
def test_levelled_weights_of_impossible_draws_raise(chances: list[float], pool: int) -> None:
    with pytest.raises(DataError):
        levelled_weights(chances, pool)


@pytest.mark.parametrize(
    "columns",
    [
        {"weights": [1.0]},
        {"weights": [1.0, 0]},
        {"weights": [1.0, np.inf]},
        {"weights": [1.0, np.nan]},
        {"videos": [1]},
        {"is_positive": [True]},
        {"scores": [np.nan, 1]},
    ],
)
def test_columns_that_do_not_fit_raise(columns: dict[str, list[float]]) -> None:
    usual = {"scores": [1.0, 2], "is_positive": [True, False]} | columns
    with pytest.raises(DataError):
        DrawnRatings(**usual)  # type: ignore[arg-type]
