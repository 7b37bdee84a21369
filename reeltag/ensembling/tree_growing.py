"""Boosters grown by LightGBM, from rows in files: in memory each value is a byte, its bin."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

from rich.progress import Progress, TaskID

from reeltag.core.console import progress_bar, say
from reeltag.core.errors import DataError
from reeltag.core.extras import check_extra
from reeltag.core.seeding import derive_seed
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.ensembling.tree_rows import Cell, RowFiles, RowSequence
from reeltag.ensembling.trees import BoosterInfo

with check_extra("trees"):
    import lightgbm as lgb

lgb.Sequence.register(RowSequence)  # so LightGBM reads it in batches

_SAMPLE = 200_000  # rows that the bins are found by, LightGBM's default


def bins_of(files: RowFiles, config: TreeConfig) -> lgb.Dataset:
    """Return a sample of all rows, which defines the bins of each column.

    All boosters share them; they do not depend on targets. By default LightGBM would draw a sample
    for each booster, row by row through Python.
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
    """Return LightGBM's parameters of a booster."""
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
        "feature_pre_filter": False,  # it would drop features by the sample alone
        "force_col_wise": True,  # by rows would keep the bins twice
        "verbosity": -1,
    }


def grow(
    files: RowFiles, bins: lgb.Dataset, fold: int, config: TreeConfig, quiet: bool
) -> tuple[lgb.Booster, BoosterInfo]:
    """Return the booster of a fold: fitted on the others, or, if it is the only one, on all."""
    begun = time.monotonic()
    others = [at for at in range(config.folds) if at != fold] or [fold]
    fitted = files.cells(others, apart=False)
    if config.stopping == "held-out":
        stopping = files.cells([fold], apart=False)
    else:
        stopping = files.cells(others, apart=True)
    num_rows, positives = (
        sum(of[cell] for cell in fitted) for of in (files.counts, files.positives)
    )
    if not stopping or not 0 < positives < num_rows:
        raise DataError(
            f"booster {fold} cannot be fitted: {num_rows:,} rows, {positives:,} of them positive, "
            f"and {sum(files.counts[cell] for cell in stopping):,} rows to stop by",
            hint="Take fewer folds, more videos, or more candidates.",
        )
    parameters = parameters_of(config, fold)
    train, stop = datasets_of(files, bins, fitted, stopping)
    binned = time.monotonic() - begun
    with progress_bar() as bar:
        task = bar.add_task(f"booster {fold}", total=config.num_trees, visible=not quiet)
        booster = lgb.train(
            parameters,
            train,
            config.num_trees,
            valid_sets=[stop],
            valid_names=["stopping"],
            callbacks=[lgb.early_stopping(config.patience, verbose=False), _Shown(bar, task)],
        )
    grown = BoosterInfo(
        trees=booster.num_trees(),
        loss=float(booster.best_score["stopping"]["binary_logloss"]),
        rows=num_rows,
        positives=positives,
        stopping_rows=sum(files.counts[cell] for cell in stopping),
        seconds_binning=round(binned, 3),
        seconds=round(time.monotonic() - begun, 3),
    )
    if not quiet:
        say(
            f"booster {fold}: {grown.trees:,} trees on {num_rows:,} rows, loss {grown.loss:.5f} on "
            f"{grown.stopping_rows:,} others, in {grown.seconds:.1f} s"
        )
    return booster, grown


class _Shown:
    """Advances a progress bar with each tree."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        """Advance the bar by a tree."""
        self._bar.update(self._task, completed=env.iteration + 1)
