"""Codebooks: the nearest of 256 numbers, worked by hand, by limit, and against brute force."""

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.deploy.codebooks import Rule, coded

RULES: tuple[Rule, ...] = ("uniform", "kmeans")


@pytest.fixture
def weights() -> NDArray[np.float32]:
    """Weights as of a trained layer: many small ones, a few far out."""
    return np.random.default_rng(0).standard_t(4, (200, 300)).astype(np.float32)


def error(values: NDArray[np.float32], rule: Rule) -> float:
    return float(((coded(values, rule).values() - values) ** 2).mean())


def test_bytes_from_0_to_255_keep_their_numbers() -> None:
    values = np.array([[0, 255], [17, 128]], np.float32)
    code = coded(values)
    assert code.codes.tolist() == [[0, 255], [17, 128]] and code.codes.dtype == np.uint8
    np.testing.assert_allclose(code.codebook, np.arange(256), atol=1e-5)  # float32 of linspace


@pytest.mark.parametrize("rule", RULES)
def test_each_element_gets_the_nearest_number(weights: NDArray[np.float32], rule: Rule) -> None:
    code = coded(weights, rule)
    distance = np.abs(weights[..., None] - code.codebook)
    # at the border between two numbers rounding may take either
    np.testing.assert_allclose(np.abs(code.values() - weights), distance.min(-1), atol=1e-6)
    assert (np.diff(code.codebook) >= 0).all()


def test_uniform_numbers_are_at_most_half_a_step_away(weights: NDArray[np.float32]) -> None:
    half_step = (weights.max() - weights.min()) / 255 / 2
    assert np.abs(coded(weights).values() - weights).max() <= half_step * 1.001  # float32


def test_k_means_loses_less_where_values_crowd(weights: NDArray[np.float32]) -> None:
    assert error(weights, "kmeans") < 0.5 * error(weights, "uniform")


def test_k_means_keeps_even_values_as_well_as_the_uniform_rule() -> None:
    even = np.linspace(-1, 1, 100_000, dtype=np.float32)
    assert error(even, "kmeans") <= 1.001 * error(even, "uniform")


@pytest.mark.parametrize("rule", RULES)
def test_a_constant_stays_itself(rule: Rule) -> None:
    assert (coded(np.full((3, 4), 0.3, np.float32), rule).values() == np.float32(0.3)).all()


def test_up_to_256_different_values_are_kept_by_k_means() -> None:
    few = np.random.default_rng(0).choice(np.array([-7, -0.001, 0, 0.5, 100], np.float32), 20_000)
    np.testing.assert_allclose(coded(few, "kmeans").values(), few, rtol=1e-6)


def test_a_value_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        coded(np.array([1, np.nan], np.float32))
