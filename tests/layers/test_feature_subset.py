"""A subset of the input values: so many, always the same ones for a seed."""

import torch

from reeltag.layers.feature_subset import FeatureSubset


def test_feature_subset_keeps_a_fraction_and_zeroes_the_others() -> None:
    kept = FeatureSubset(40, 0.25, seed=3)(torch.ones(2, 40))
    assert (kept.sum(dim=1) == 10).all() and torch.equal(kept[0], kept[1])
    again, other = (FeatureSubset(40, 0.25, seed=seed)(torch.ones(1, 40)) for seed in (3, 4))
    assert torch.equal(again[0], kept[0]) and not torch.equal(other[0], kept[0])


def test_feature_subset_of_all_is_the_input() -> None:
    x_BD = torch.randn(3, 7)
    assert FeatureSubset(7, 1.0)(x_BD) is x_BD
