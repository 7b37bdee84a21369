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

    Only usable records of the training split are in a fold; by ratings, only those with some.

    Raises:
        ConfigError: the training split is empty, or holds fewer videos than there are folds.
    """
    mine = np.isin(index.table["shard"].to_numpy(), splits.shards(index, "train"))
    rows = np.flatnonzero(mine & ~index.table["skip"].to_numpy())
    table = index.table.select(["id", "labels", "segment_labels", "segment_scores"])
    table = table.take(pa.array(rows))
    bounds, strata = lists_of(table, "labels")
    num_strata = index.num_classes
    if fold.by == "ratings":
        bounds, rated = lists_of(table, "segment_labels")
        strata = 2 * rated + (lists_of(table, "segment_scores")[1] > 0.5)
        num_strata *= 2
        some = np.diff(bounds) > 0
        rows, table = rows[some], table.filter(pa.array(some))
        bounds = bounds[np.append(True, some)]
    keys = id_keys(table["id"].to_pylist(), fold.seed, "folds")
    kind = "rated" if fold.by == "ratings" else "training"
    num_videos = min(len(keys), int((np.diff(np.sort(keys)) > 0).sum()) + 1)
    if num_videos < fold.count:
        raise ConfigError(
            f"{num_videos} {kind} videos cannot be divided into {fold.count} folds",
            where=index.root,
            hint="Take fewer folds with --fold.count.",
        )
    folds = stratified_folds(keys, bounds, strata, num_strata, fold.count, fold.seed)
    held_out = np.zeros(len(mine), bool)
    held_out[rows[folds == fold.hold_out]] = True
    return held_out
