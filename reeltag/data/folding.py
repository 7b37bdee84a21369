"""Which records of the training split a fold holds; see `reeltag.labels.folds`."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.sparse import SparseRows
from reeltag.data.dataset import Dataset
from reeltag.data.origin import origin_of
from reeltag.data.selection import lists_of
from reeltag.labels.folds import FoldConfig, stratified_folds
from reeltag.labels.random_keys import id_keys


def held_out_rows(data: Dataset, fold: FoldConfig) -> NDArray[np.bool_]:
    """Return (R,) which rows of the index's table are in the fold that is held out.

    Only usable records of the training split are in a fold; by ratings, only those with some. What
    `reeltag augment` made of a video is in the fold of that video.

    Args:
        data: whose training split is folded.
        fold: number of folds, and which one is held out.

    Raises:
        ConfigError: the training split is empty, or holds fewer videos than there are folds.
    """
    rows = data.rows("train")
    table = data.table.select(["id", "labels", "segment_labels", "segment_scores"])
    table = table.take(pa.array(rows))
    strata = SparseRows(*lists_of(table, "labels"))
    num_strata = data.num_classes
    if fold.by == "ratings":
        indptr, rated = lists_of(table, "segment_labels")
        strata = SparseRows(indptr, 2 * rated + (lists_of(table, "segment_scores")[1] > 0))
        num_strata *= 2
        some = strata.counts() > 0
        rows, table, strata = rows[some], table.filter(pa.array(some)), strata.where(some)
    sources = [origin_of(name).source for name in table["id"].to_pylist()]
    keys = id_keys(sources, fold.seed, "folds")
    kind = "rated" if fold.by == "ratings" else "training"
    num_videos = min(len(keys), int((np.diff(np.sort(keys)) > 0).sum()) + 1)
    if num_videos < fold.count:
        raise ConfigError(
            f"{num_videos} {kind} videos cannot be divided into {fold.count} folds",
            where=data.location,
            hint="Take fewer folds with --fold.count.",
        )
    folds = stratified_folds(keys, strata, num_strata, fold.count, fold.seed)
    held_out = np.zeros(len(data), bool)
    held_out[rows[folds == fold.hold_out]] = True
    return held_out


def rows_to_train_on(data: Dataset, held_out: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (R,) which rows of the index's table may be trained on where others are held out.

    A sample that `reeltag augment` made with a neighbour is near that neighbour and has its
    rarest label: where the neighbour is held out, the sample is not trained on either.
    """
    apart = set(data.table["id"].filter(pa.array(held_out)).to_pylist())
    made = np.flatnonzero(pc.match_substring(data.table["id"], "~").to_numpy() & ~held_out)
    names = data.table["id"].take(pa.array(made)).to_pylist()
    trained_on: NDArray[np.bool_] = ~held_out
    trained_on[made] = [origin_of(name).partner not in apart for name in names]
    return trained_on
