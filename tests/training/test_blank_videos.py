"""Blank videos neither train nor evaluate where that is asked for."""

import dataclasses
from typing import Literal

import numpy as np
import pytest

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.labels.folds import FoldConfig
from reeltag.training.batches import make_batches
from reeltag.training.config import Recipe
from tests.data.blank import NAMES, write_blank

RECIPE = Recipe(batch_size=2, blank_std=0.1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_blank(tmp_path_factory.mktemp("blank") / "data")


def trained(dataset: Dataset, recipe: Recipe) -> set[str]:
    items = make_batches(dataset, recipe).items
    return set(items.ids(np.arange(len(items))))


def validated(dataset: Dataset, recipe: Recipe) -> set[str]:
    loader = make_batches(dataset, recipe).validate
    assert loader is not None
    return {name for batch in loader for name in batch.ids}


@pytest.mark.parametrize("items", ["videos", "segments"])
def test_they_are_left_out_of_both_splits(
    dataset: Dataset, items: Literal["videos", "segments"]
) -> None:
    recipe = dataclasses.replace(RECIPE, items=items)
    assert trained(dataset, recipe) == {n for n in NAMES["train0"] if "blank" not in n}
    assert validated(dataset, recipe) == {"i", "j", "l"}
    without = dataclasses.replace(recipe, blank_std=0.0)
    assert trained(dataset, without) == set(NAMES["train0"])
    assert validated(dataset, without) == set(NAMES["validate0"])


def test_fold_is_left_out_too(dataset: Dataset) -> None:
    fold = FoldConfig(count=2, hold_out=0)
    half = trained(dataset, dataclasses.replace(RECIPE, blank_std=0.0, fold=fold))
    found = trained(dataset, dataclasses.replace(RECIPE, fold=fold))
    assert found == {name for name in half if "blank" not in name} and len(found) < 6


def test_limit_that_is_none_raises() -> None:
    with pytest.raises(ConfigError, match="blank_std is .*; allowed: a finite number >= 0"):
        Recipe(blank_std=-0.1)
