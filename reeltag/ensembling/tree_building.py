"""The rows that trees are fitted on: candidates of blocks, their targets, and the folds of videos.

Letters in shapes: V videos, N rows of a block, P rows of trees, K folds.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.seeding import derive_seed, mixed
from reeltag.data.origin import origin_of
from reeltag.ensembling.alignment import AlignedRows
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.ensembling.tree_rows import RowFiles, keys_of, rows_of
from reeltag.evaluation.truth import Truth
from reeltag.labels.folds import stratified_folds
from reeltag.labels.random_keys import id_keys

Blocks: TypeAlias = Callable[[], Iterator[AlignedRows]]


def folds_of(truth: Truth, count: int, seed: int = 0) -> NDArray[np.int16]:
    """Return (V,) the fold of each video, 0 to K - 1.

    Where `truth` is of the training split, these are the folds of `reeltag train --fold.count K
    --fold.seed S`: models whose predictions are out of these folds, and trees on them.

    Args:
        truth: about V videos.
        count: K.
        seed: random seed of the division.

    Raises:
        ConfigError: there are fewer videos than folds.
    """
    if len(truth) < count:
        raise ConfigError(f"{len(truth)} videos cannot be divided into {count} folds")
    if count == 1:
        return np.zeros(len(truth), np.int16)
    sources = [origin_of(name).source for name in truth.ids.to_pylist()]
    keys = id_keys(sources, seed, "folds")
    return stratified_folds(keys, truth.labels, truth.num_classes, count, seed)


class TreeTargets:
    """The labels of the rows of blocks, and the videos they are of.

    Args:
        truth: about V videos.

    Attributes:
        keys: (V,) uint64 of the ids.
    """

    def __init__(self, truth: Truth) -> None:
        self._truth, self.keys = truth, keys_of(truth.ids)
        self._order = np.argsort(self.keys)
        self._sorted = self.keys[self._order]

    def videos_of(self, ids: pa.Array) -> NDArray[np.int64]:
        """Return (N,) the video of each id.

        Args:
            ids: (N,) of videos.

        Raises:
            DataError: an id is not in the data.
        """
        if not len(self._sorted):
            raise DataError("has no videos", where=self._truth.data)
        keys = keys_of(ids)
        place = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        unknown = self._sorted[place] != keys
        if unknown.any():
            raise DataError(
                f"holds no video {ids[int(unknown.argmax())].as_py()!r}, which was predicted "
                f"({unknown.sum():,} of {len(ids):,} videos of a portion are unknown)",
                where=self._truth.data,
                hint="Fit on the data and the split that were predicted.",
            )
        return self._order[place]

    def of(
        self, block: AlignedRows, videos: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return (P,) which rows can be fitted on, and (P,) whether the class is present.

        All rows of whole videos can, and the rated ones of segments.
        """
        truth, owner = self._truth, block.row_of_entry()
        if block.kind == "videos":
            return np.ones(len(owner), bool), truth.has_label(videos[owner], block.classes)
        segments = truth.segments_of(videos, block.starts, block.ends)
        rating = truth.ratings_of(segments[owner], block.classes)
        rated = rating >= 0
        positive = np.zeros(len(owner), bool)
        positive[rated] = truth.ratings.is_positive[rating[rated]]
        return rated, positive

    def apart(self, fraction: float, seed: int) -> NDArray[np.bool_]:
        """Return (V,) a fraction of the videos, drawn by id."""
        number = np.array([derive_seed(seed, "apart")])
        return mixed(self.keys, number) < np.uint64(fraction * 2.0**64)


def build_rows(
    blocks: Blocks,
    truth: Truth,
    folder: Path,
    config: TreeConfig,
    folds: NDArray[np.int16],
    quiet: bool,
) -> tuple[RowFiles, TreeTargets, NDArray[np.bool_]]:
    """Return the rows of all blocks, in files, and (V,) which videos have some.

    Args:
        blocks: returns the rows of all models, some at a time.
        truth: about V videos.
        folder: for the files.
        config: the rows that are set apart.
        folds: (V,) of each video; -1 = left out.
        quiet: show no progress.

    Raises:
        DataError: there are no rows, or an id is not in the data.
    """
    targets = TreeTargets(truth)
    apart = np.zeros(len(truth), bool)
    if config.stopping == "apart":
        apart = targets.apart(config.apart, config.seed)
    used = np.zeros(len(truth), bool)
    files: RowFiles | None = None
    for block in blocks() if quiet else track(blocks(), "building rows"):
        videos = targets.videos_of(block.ids)
        used[videos[folds[videos] >= 0]] = True
        wanted, positive = targets.of(block, videos)
        video = videos[block.row_of_entry()]
        rows, of_row = rows_of(block), folds[video]
        files = files or RowFiles(folder, rows.shape[1])
        wanted &= of_row >= 0
        if not wanted.all():
            rows, positive, of_row = rows[wanted], positive[wanted], of_row[wanted]
            video = video[wanted]
        files.add(rows, positive, of_row, apart[video])
    if files is None or not files.counts:
        raise DataError(
            "the predictions hold no candidate of a video to fit on",
            where=truth.data,
            hint="Trees are fitted on predictions of whole videos, or of rated segments.",
        )
    return files, targets, used
