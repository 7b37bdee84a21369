"""Rows that trees are fitted on, a candidate class of a video each, kept in files.

    rows       float32  label id, probability of model 1, ..., of model M
    targets    uint8    1 = the video has the label

Only the portion at hand is in memory. A row takes 4 (1 + M) + 1 bytes of disk: those of 5 M videos
with 30 candidates are 12.8 GB for 20 models, 57.8 GB for 95. Samsung's rows have no features of the
video, no ranks and no priors (reference/video-level.md 4.6).

Letters in shapes: V videos, N rows of a block, P rows of trees, M models, K folds.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import lightgbm as lgb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.seeding import derive_seed
from reeltag.data.origin import origin_of
from reeltag.ensembling.joining import Block
from reeltag.inference.truth import Truth, find
from reeltag.labels.folds import stratified_folds
from reeltag.labels.random_keys import id_keys, mixed

Cell: TypeAlias = tuple[int, bool]  # a fold, and whether its videos were set apart

_BATCH = 1 << 16  # rows, or ids, at a time
_PURPOSE = "trees"  # of the keys that stand for ids


def keys_of(ids: pa.Array) -> NDArray[np.uint64]:
    """Return (N,) 64-bit keys of ids; that two of 6 M ids share one has the odds 1 : 1,000,000."""
    starts = range(0, len(ids), _BATCH)
    parts = [id_keys(ids.slice(at, _BATCH).to_pylist(), 0, _PURPOSE) for at in starts]
    return np.concatenate([np.zeros(0, np.uint64), *parts])


def rows_of(block: Block) -> NDArray[np.float32]:
    """Return (P, 1 + M) rows: the label id as a number, then each model's probability."""
    probs = block.probs_PM
    rows = np.empty((len(probs), 1 + probs.shape[1]), np.float32)
    rows[:, 0] = block.classes
    rows[:, 1:] = probs
    return rows


def folds_of(truth: Truth, count: int, seed: int = 0) -> NDArray[np.int16]:
    """Return (V,) the fold of each video, 0 to K - 1.

    Where `truth` is of the training split, these are the folds of `reeltag train --fold.count K
    --fold.seed S`: models whose predictions are out of these folds, and trees on them.

    Raises:
        ConfigError: there are fewer videos than folds.
    """
    if len(truth) < count:
        raise ConfigError(f"{len(truth)} videos cannot be divided into {count} folds")
    if count == 1:
        return np.zeros(len(truth), np.int16)
    owner, labels = np.divmod(truth.label_keys, truth.num_classes)
    bounds = np.searchsorted(owner, np.arange(len(truth) + 1))
    sources = [origin_of(name).source for name in truth.ids.to_pylist()]
    keys = id_keys(sources, seed, "folds")
    return stratified_folds(keys, bounds, labels, truth.num_classes, count, seed)


class Targets:
    """What is true of the rows of blocks, and which videos are theirs.

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
                f"holds no video {ids[int(unknown.argmax())].as_py()!r}, which the predictions are "
                f"about ({unknown.sum():,} of {len(ids):,} videos looked at are unknown)",
                where=self._truth.data,
                hint="Fit on the data, and the split, that the predictions are about.",
            )
        return self._order[place]

    def of(
        self, block: Block, videos: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return (P,) which rows can be fitted on, and (P,) whether the class is there.

        All rows of whole videos can; of segments those that somebody rated.
        """
        truth, owner = self._truth, block.row_of_pair()
        if block.starts is None:
            keys = videos[owner] * truth.num_classes + block.classes
            return np.ones(len(keys), bool), find(truth.label_keys, keys) >= 0
        segments = truth.segments_of(videos, block.starts.astype(np.int64))
        keys = segments[owner] * truth.num_classes + block.classes
        rating = find(truth.rating_keys, np.where(segments[owner] < 0, -1, keys))
        rated = rating >= 0
        positive = np.zeros(len(keys), bool)
        positive[rated] = truth.is_positive[rating[rated]]
        return rated, positive

    def apart(self, share: float, seed: int) -> NDArray[np.bool_]:
        """Return (V,) a share of the videos, drawn by id."""
        number = np.array([derive_seed(seed, "apart")])
        return mixed(self.keys, number) < np.uint64(share * 2.0**64)


class RowFiles:
    """Rows in cells: of each fold those to fit on, and those that were set apart.

    Args:
        folder: to write to; it must exist.
        width: 1 + M columns.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self.folder, self.width = folder, width
        self.counts: dict[Cell, int] = {}
        self.positives: dict[Cell, int] = {}

    def add(
        self,
        rows: NDArray[np.float32],
        targets: NDArray[np.bool_],
        folds: NDArray[np.int16],
        apart: NDArray[np.bool_],
    ) -> None:
        """Append rows (P, 1 + M) to the cells that `folds` and `apart` (P,) name."""
        number = folds.astype(np.int64) * 2 + apart
        for at in np.unique(number).tolist():
            mine = number == at
            cell = (at // 2, bool(at % 2))
            with self._path(cell, "rows").open("ab") as file:
                rows[mine].tofile(file)
            with self._path(cell, "targets").open("ab") as file:
                targets[mine].astype(np.uint8).tofile(file)
            self.counts[cell] = self.counts.get(cell, 0) + int(mine.sum())
            self.positives[cell] = self.positives.get(cell, 0) + int(targets[mine].sum())

    def cells(self, folds: Sequence[int], apart: bool) -> list[Cell]:
        """Return the cells of some folds that hold rows."""
        return [(fold, apart) for fold in folds if (fold, apart) in self.counts]

    def sequences(self, cells: Sequence[Cell]) -> "list[RowSequence]":
        """Return the rows of some cells, for lightgbm.Dataset."""
        return [
            RowSequence(self._path(cell, "rows"), self.counts[cell], self.width) for cell in cells
        ]

    def targets(self, cells: Sequence[Cell]) -> NDArray[np.float32]:
        """Return the targets of some cells, in the order of `sequences`, as LightGBM has them."""
        targets = np.empty(sum(self.counts[cell] for cell in cells), np.float32)
        done = 0
        for cell in cells:
            part = np.fromfile(self._path(cell, "targets"), np.uint8)
            targets[done : done + len(part)] = part
            done += len(part)
        return targets

    def _path(self, cell: Cell, what: str) -> Path:
        return self.folder / f"{what}-{cell[0]}{'-apart' if cell[1] else ''}"


class RowSequence(lgb.Sequence):
    """Rows in a file, read when asked for.

    By plain reading rather than mapping, since mapped pages would count as memory of the process.

    Args:
        path: of the file.
        count: rows in it.
        width: columns.
    """

    batch_size = _BATCH

    def __init__(self, path: Path, count: int, width: int) -> None:
        self._path, self._count, self._width = path, count, width
        self._file = path.open("rb")

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    def __getitem__(self, index: int | slice | list[int]) -> NDArray[np.float32 | np.float64]:
        """Return a row (1 + M,) in float64, as LightGBM samples it, or rows (n, 1 + M)."""
        if isinstance(index, slice):
            first, last, step = index.indices(self._count)
            return self._read(first, max(last - first, 0))[::step]
        if isinstance(index, list):
            return np.concatenate([self._read(at, 1) for at in index])
        row: NDArray[np.float64] = self._read(int(index), 1)[0].astype(np.float64)
        return row

    def _read(self, first: int, count: int) -> NDArray[np.float32]:
        size = 4 * self._width
        read = os.pread(self._file.fileno(), count * size, first * size)
        return np.frombuffer(read, np.float32).reshape(count, self._width)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def pieces(rows: NDArray[np.float32]) -> Iterator[slice]:
    """Yield parts of many rows, so that what is made of them stays small."""
    for first in range(0, len(rows), _BATCH):
        yield slice(first, first + _BATCH)
