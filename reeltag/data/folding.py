"""Which records of the training split a fold holds; see `reeltag.labels.folds`."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.index import Index
from reeltag.data.selection import lists_of
from reeltag.data.splits import Splits
from reeltag.labels.folds import FoldConfig, stratified_folds
from reeltag.labels.random_keys import id_keys


def held_out_rows(index: Index, splits: Splits, fold: FoldConfig) -> NDArray[np.bool_]:
    """Return (R,) which rows of the index's table are in the fold that is held out.

    Only usable records of the training split are in a fold.

    Raises:
        ConfigError: the training split is empty, or holds fewer videos than there are folds.
    """
    mine = np.isin(index.table["shard"].to_numpy(), splits.shards(index, "train"))
    rows = np.flatnonzero(mine & ~index.table["skip"].to_numpy())
    table = index.table.select(["id", "labels"]).take(pa.array(rows))
    keys = id_keys(table["id"].to_pylist(), fold.seed, "folds")
    num_videos = int((np.diff(np.sort(keys)) > 0).sum()) + 1
    if num_videos < fold.count:
        raise ConfigError(
            f"{num_videos} training videos cannot be divided into {fold.count} folds",
            where=index.root,
            hint="Take fewer folds with --fold.count.",
        )
    bounds, classes = lists_of(table, "labels")
    folds = stratified_folds(keys, bounds, classes, index.num_classes, fold.count, fold.seed)
    held_out = np.zeros(len(mine), bool)
    held_out[rows[folds == fold.hold_out]] = True
    return held_out
