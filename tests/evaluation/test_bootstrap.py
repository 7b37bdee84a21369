"""Bootstrap intervals hold the value, and are the plain percentiles where nothing is biased."""

import numpy as np
import pytest

from reeltag.evaluation.bootstrap import interval


def test_interval_without_bias_is_the_percentile_interval() -> None:
    replicates = np.linspace(0.3, 0.5, 201)
    assert interval(0.4, replicates) == pytest.approx([0.305, 0.495])


def test_interval_of_biased_bootstrap_holds_the_value() -> None:
    replicates = np.linspace(0.5, 0.7, 201)  # all above the value
    assert interval(0.4, replicates) == pytest.approx([0.305, 0.495])


def test_interval_is_within_0_and_1() -> None:
    low, high = interval(0.99, np.linspace(0.9, 1.0, 101)) or (0, 0)
    assert high == 1.0 and low == pytest.approx(0.9425)


def test_interval_leaves_out_undefined_replicates() -> None:
    assert interval(0.5, np.array([np.nan, np.nan])) is None
    assert interval(0.5, np.array([np.nan, 0.4, 0.6])) == pytest.approx([0.405, 0.595])
