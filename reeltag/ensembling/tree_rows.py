"""Rows that trees are fitted on, one per candidate class of a video, kept in files.

    rows       float32  label id, probability of model 1, ..., of model M
    targets    uint8    1 = the video has the label

Only a portion at a time is in memory. A row takes 4 (1 + M) + 1 bytes of disk: those of 5 M videos
with 30 candidates are 12.8 GB for 20 models, 57.8 GB for 95. Samsung's rows have no features of the
video, no ranks and no priors.

Letters in shapes: V videos, N rows of a block, P rows of trees, M models, K folds.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.system.open_files import read_at
from reeltag.ensembling.alignment import AlignedRows
from reeltag.labels.random_keys import id_keys

Cell: TypeAlias = tuple[int, bool]  # a fold, and whether its videos were set apart

_BATCH = 1 << 16  # rows, or ids, at a time
_CACHED = 1 << 13  # rows whose numbers stay in the processor's cache
_PURPOSE = "trees"  # of the keys of ids


def keys_of(ids: pa.Array) -> NDArray[np.uint64]:
    """Return (N,) 64-bit keys of ids; two of 6 M ids share one with probability 1e-6."""
    starts = range(0, len(ids), _BATCH)
    parts = [id_keys(ids.slice(at, _BATCH).to_pylist(), 0, _PURPOSE) for at in starts]
    return np.concatenate([np.zeros(0, np.uint64), *parts])


def rows_of(block: AlignedRows) -> NDArray[np.float32]:
    """Return (P, 1 + M) rows: the label id as a number, then each model's probability.

    The probabilities are those of `AlignedRows.probs` to within rounding (1e-7), without temporary
    tables of the size of the block.
    """
    rows = np.empty((len(block.classes), 1 + block.logits.shape[1]), np.float32)
    rows[:, 0] = block.classes
    for part in pieces(rows, _CACHED):
        with np.errstate(over="ignore"):  # exp of 89 or more is inf: a probability of 0
            inverse = np.exp(-block.logits[part])
        inverse += 1
        np.reciprocal(inverse, out=rows[part, 1:])
    return rows


class RowFiles:
    """Rows in cells: per fold, those to fit on and those set apart.

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
        """Append rows (P, 1 + M) to the cells of `folds` and `apart` (P,)."""
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

    def sample(self, count: int, seed: int) -> NDArray[np.float32]:
        """Return (n, 1 + M) rows of all cells, drawn at random; all rows if there are no more."""
        cells = sorted(self.counts)
        bounds = np.append(0, np.cumsum([self.counts[cell] for cell in cells]))
        with ExitStack() as stack:
            parts = [stack.enter_context(closing(part)) for part in self.sequences(cells)]
            if bounds[-1] <= count:
                return np.concatenate([part[:] for part in parts])
            drawn = np.random.default_rng(seed).integers(0, bounds[-1], count)
            place = np.unique(drawn)
            owner = np.searchsorted(bounds, place, side="right") - 1
            within = place - bounds[owner]
            return np.concatenate(
                [part[within[owner == at].tolist()] for at, part in enumerate(parts)]
            )

    def _path(self, cell: Cell, what: str) -> Path:
        return self.folder / f"{what}-{cell[0]}{'-apart' if cell[1] else ''}"


class RowSequence:
    """Rows in a file, read on demand; a sequence for LightGBM.

    They are read rather than mapped, since mapped pages count as memory of the process.

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
            rows = np.empty((len(index), self._width), np.float32)
            for place, at in enumerate(index):
                rows[place] = self._read(at, 1)
            return rows
        row: NDArray[np.float64] = self._read(int(index), 1)[0].astype(np.float64)
        return row

    def _read(self, first: int, count: int) -> NDArray[np.float32]:
        size = 4 * self._width
        read = read_at(self._file.fileno(), count * size, first * size)
        return np.frombuffer(read, np.float32).reshape(count, self._width)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def pieces(rows: NDArray[np.float32], size: int = _BATCH) -> Iterator[slice]:
    """Yield parts of many rows, so that arrays computed from them stay small."""
    for first in range(0, len(rows), size):
        yield slice(first, first + size)
