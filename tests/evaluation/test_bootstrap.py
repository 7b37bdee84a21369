"""Bootstrap intervals hold the value, and are the plain percentiles where nothing is biased."""

import numpy as np
import pytest
import torch

from reeltag.core.seeding import derive_seed
from reeltag.evaluation import bootstrap
from reeltag.evaluation.bootstrap import Bootstrap, ClassCounts, interval
from reeltag.metrics.video_weights import VideoWeights


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


def test_replicate_is_a_draw_with_replacement_that_its_seed_and_number_decide() -> None:
    evaluated = np.array([True, False, True, True, True])
    chosen_from = np.flatnonzero(evaluated)
    drawn = [weights.each.numpy() for weights in Bootstrap(evaluated, 130, 7).weights()]
    copies = np.concatenate(drawn, axis=1)
    assert copies.shape == (5, 130)
    for number in (0, 64, 129):
        random = np.random.default_rng(derive_seed(7, "bootstrap", number))
        chosen = chosen_from[random.integers(4, size=4)]
        assert copies[:, number].tolist() == np.bincount(chosen, minlength=5).tolist()
    every = next(Bootstrap(np.ones(4, np.bool_), 1, 7).weights()).each
    assert every[:, 0].tolist() == copies[evaluated, 0].tolist()  # the same draws of four


def test_counts_of_classes_are_weighted_in_bags_of_any_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bootstrap, "MOST_IN_BAG", 3)
    random = np.random.default_rng(0)
    classes, owners = random.choice([0, 2, 5], 40), random.integers(0, 6, 40)
    table = random.integers(0, 5, (6, 4))
    counts = ClassCounts(classes, owners, 7)
    wanted = np.zeros((7, 4))
    np.add.at(wanted, classes, table[owners])
    assert counts.counts.tolist() == np.bincount(classes, minlength=7).tolist()
    weighted = counts.weighted(VideoWeights.of_table(torch.from_numpy(table)))
    np.testing.assert_array_equal(weighted.numpy(), wanted)
