"""Rows in files as LightGBM has them in memory: a byte for each value, the step it is in."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

import lightgbm as lgb

from reeltag.core.seeding import derive_seed
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.ensembling.tree_rows import Cell, RowFiles

_SAMPLE = 200_000  # rows that the steps are made by, as LightGBM's default


def bins_of(files: RowFiles, config: TreeConfig) -> lgb.Dataset:
    """Return a sample of all rows, which says where the steps of each column are.

    They are those of all boosters, and know nothing of targets. Left to itself LightGBM would draw
    a sample for each, row by row through Python.
    """
    sample = files.sample(_SAMPLE, derive_seed(config.seed, "bins"))
    return lgb.Dataset(
        sample,
        params=parameters_of(config, 0),
        categorical_feature=[0] if config.label_id == "category" else [],
    ).construct()


def datasets_of(
    files: RowFiles, bins: lgb.Dataset, fitted: Sequence[Cell], stopping: Sequence[Cell]
) -> tuple[lgb.Dataset, lgb.Dataset]:
    """Return the rows to fit on and those to stop by, as LightGBM has them."""
    common: dict[str, Any] = {
        "reference": bins,
        "params": bins.params,
        "categorical_feature": bins.categorical_feature,
    }
    with ExitStack() as stack:
        train, stop = (
            lgb.Dataset(
                [stack.enter_context(closing(part)) for part in files.sequences(cells)],
                files.targets(cells),
                **common,
            ).construct()
            for cells in (fitted, stopping)
        )
    return train, stop


def parameters_of(config: TreeConfig, fold: int) -> dict[str, Any]:
    """Return what LightGBM is told of a booster."""
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": config.learning_rate,
        "num_leaves": config.num_leaves,
        "min_data_in_leaf": config.min_in_leaf,
        "max_bin": config.max_bin,
        "bin_construct_sample_cnt": _SAMPLE,
        "num_threads": config.threads,
        "seed": derive_seed(config.seed, "trees", fold) % 2**31,
        "deterministic": True,
        "feature_pre_filter": False,  # it would judge by the sample what no tree can split
        "force_col_wise": True,  # by rows would keep the bins twice
        "verbosity": -1,
    }
