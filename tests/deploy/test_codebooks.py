"""Codebooks: the nearest of 256 numbers, worked by hand, by limit, and against brute force."""

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.deploy.codebooks import Rule, encode

RULES: tuple[Rule, ...] = ("uniform", "kmeans")


@pytest.fixture
def weights() -> NDArray[np.float32]:
    """Weights as of a trained layer: many small ones, a few far out."""
    return np.random.default_rng(0).standard_t(4, (200, 300)).astype(np.float32)


def error(values: NDArray[np.float32], rule: Rule) -> float:
    return float(((encode(values, rule).values() - values) ** 2).mean())


def test_encode_keeps_integers_from_0_to_255() -> None:
    values = np.array([[0, 255], [17, 128]], np.float32)
    code = encode(values)
    assert code.codes.tolist() == [[0, 255], [17, 128]] and code.codes.dtype == np.uint8
    np.testing.assert_allclose(code.codebook, np.arange(256), atol=1e-5)  # float32 of linspace


@pytest.mark.parametrize("rule", RULES)
def test_encode_takes_the_nearest_number(weights: NDArray[np.float32], rule: Rule) -> None:
    code = encode(weights, rule)
    distance = np.abs(weights[..., None] - code.codebook)
    # at the border between two numbers rounding may take either
    np.testing.assert_allclose(np.abs(code.values() - weights), distance.min(-1), atol=1e-6)
    assert (np.diff(code.codebook) >= 0).all()


def test_uniform_error_is_at_most_half_a_step(weights: NDArray[np.float32]) -> None:
    half_step = (weights.max() - weights.min()) / 255 / 2
    assert np.abs(encode(weights).values() - weights).max() <= half_step * 1.001  # float32


def test_k_means_error_is_smaller_for_dense_values(weights: NDArray[np.float32]) -> None:
    assert error(weights, "kmeans") < 0.5 * error(weights, "uniform")


def test_k_means_error_is_not_above_uniform() -> None:
    even = np.linspace(-1, 1, 100_000, dtype=np.float32)
    assert error(even, "kmeans") <= 1.001 * error(even, "uniform")


@pytest.mark.parametrize("rule", RULES)
def test_encode_keeps_a_constant(rule: Rule) -> None:
    assert (encode(np.full((3, 4), 0.3, np.float32), rule).values() == np.float32(0.3)).all()


def test_k_means_keeps_up_to_256_values() -> None:
    few = np.random.default_rng(0).choice(np.array([-7, -0.001, 0, 0.5, 100], np.float32), 20_000)
    np.testing.assert_allclose(encode(few, "kmeans").values(), few, rtol=1e-6)


def test_encode_of_infinite_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        encode(np.array([1, np.nan], np.float32))
