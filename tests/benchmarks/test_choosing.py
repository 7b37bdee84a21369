"""The finder of the simulation: ratings move it to the most probable weights."""

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.choosing_finder import Finder, _newton, fit_ratings


def test_newton_finds_the_most_probable_weights_of_saturated_logits() -> None:
    rng = np.random.default_rng(0)
    values, start = rng.normal(size=(30, 4)), rng.normal(size=30) * 20
    positive = rng.random(30) < 0.5
    sign = np.where(positive, -1.0, 1.0)

    def loss(weights: np.ndarray) -> float:
        logits = start + values @ weights
        return float(np.logaddexp(0, sign * logits).sum() + (weights**2).sum() / 2)

    found = values.T @ _newton(values @ values.T, start, positive)
    best = minimize(loss, np.zeros(4), method="BFGS").x
    assert found == pytest.approx(best, abs=1e-3)  # BFGS stops at gradients of 1e-5


def test_ratings_of_a_class_move_its_logits_their_way_and_no_direction_of_others() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20, 5)).astype(np.float32)
    first = Finder(np.zeros((2, 5), np.float32), np.zeros(2, np.float32))
    positive = values[:, 0] > 0
    second = fit_ratings(first, values, np.zeros(20, np.int64), positive, 1.0)
    logits = second.logits(values)
    assert logits[positive, 0].mean() > logits[~positive, 0].mean() + 1
    assert not second.weights[1].any()
