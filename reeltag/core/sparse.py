"""Sparse rows: the classes that each of N rows lists, with a value for each, in CSR form.

    indptr   0     2 2        5     row 0 lists classes 7 and 3, row 1 none, row 2 the other three
    classes  7  3     1  0  4
    values  .9 .2    .8 .7 .1

Targets, predictions, soft labels and the truth extend `SparseRows`, so that rows are selected, cut
and joined in one place. Memory: 8 bytes a row, 4 an entry and 4 for its value; nothing is N x C.

Letters in shapes: N rows, E entries of all rows, C classes, n selected rows.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SparseRows:
    """N rows of entries (class, value): row i owns the entries indptr[i] to indptr[i + 1].

    A subclass names the columns it adds in `ROW_COLUMNS`, which hold one thing a row (an array,
    an Arrow array, or a number for all rows), or in `ENTRY_COLUMNS` (an array, or None: all 1).

    Attributes:
        indptr: (N + 1,) int64, from 0 to E, never falling.
        classes: (E,) int32.
        values: (E,) float; None: all 1.
    """

    ROW_COLUMNS: ClassVar[tuple[str, ...]] = ()
    ENTRY_COLUMNS: ClassVar[tuple[str, ...]] = ("classes", "values")

    indptr: NDArray[np.int64]
    classes: NDArray[np.int32]
    values: NDArray[np.floating] | None = None

    def __len__(self) -> int:
        """Return N."""
        return len(self.indptr) - 1

    def counts(self) -> NDArray[np.int64]:
        """Return (N,) the number of entries of each row."""
        return np.diff(self.indptr)

    def row_of_entry(self) -> NDArray[np.int64]:
        """Return (E,) the row of each entry."""
        return np.repeat(np.arange(len(self)), self.counts())

    def place_in_row(self) -> NDArray[np.int64]:
        """Return (E,) the place of each entry in its row, from 0."""
        return np.arange(len(self.classes)) - np.repeat(self.indptr[:-1], self.counts())

    def cells(self, num_classes: int) -> NDArray[np.int64]:
        """Return (E,) row * C + class of each entry: its cell in a dense (N, C) matrix."""
        return self.row_of_entry() * num_classes + self.classes

    def entries_of(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for each entry of some rows (n,), its place in `rows` and its place in E."""
        begin = self.indptr[rows]
        count = self.indptr[rows + 1] - begin
        place = np.repeat(np.arange(len(rows)), count)
        skipped = begin - (np.cumsum(count) - count)
        return place, np.arange(len(place)) + skipped[place]

    def take(self, rows: NDArray[np.integer]) -> Self:
        """Return some rows (n,), in that order; a row may be taken several times."""
        _, entries = self.entries_of(rows)
        return self._selected(indptr_of(self.indptr[rows + 1] - self.indptr[rows]), rows, entries)

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """Return the rows where `mask` (N,)."""
        counts = self.counts()
        indptr = indptr_of(counts[mask])
        whole = indptr[-1] == len(self.classes)  # only rows without entries go
        return self._selected(indptr, mask, slice(None) if whole else np.repeat(mask, counts))

    def slice(self, first: int, last: int) -> Self:
        """Return the rows from `first` to before `last`, as views of the same memory."""
        if (first, last) == (0, len(self)):
            return self
        begin, end = int(self.indptr[first]), int(self.indptr[last])
        indptr = self.indptr[first : last + 1] - begin
        return self._selected(indptr, slice(first, last), slice(begin, end))

    def keep(self, mask: NDArray[np.bool_]) -> Self:
        """Return all rows with only the entries where `mask` (E,); a row may become empty."""
        return self._selected(np.append(0, np.cumsum(mask))[self.indptr], None, mask)

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """Return the rows of all parts, one part after the other.

        What all parts leave out, or have as the same number for all rows, stays so. What is no
        column is that of the first part.

        Args:
            parts: at least one, all of as many columns.

        Raises:
            ValueError: there are no parts.
        """
        parts = [*parts]
        if not parts:
            raise ValueError("nothing to concatenate")
        joined: dict[str, Any] = {
            name: _joined([getattr(part, name) for part in parts], sizes)
            for names, sizes in (
                (cls.ROW_COLUMNS, [len(part) for part in parts]),
                (cls.ENTRY_COLUMNS, [len(part.classes) for part in parts]),
            )
            for name in names
        }
        indptr = indptr_of(np.concatenate([part.counts() for part in parts]))
        return dataclasses.replace(parts[0], indptr=indptr, **joined)

    def to_dense(self, num_classes: int, fill: float = 0.0) -> NDArray[np.float32]:
        """Return (N, C) the values, and `fill` where a class is not listed."""
        dense = np.full((len(self), num_classes), fill, np.float32)
        dense[self.row_of_entry(), self.classes] = 1 if self.values is None else self.values
        return dense

    def _selected(self, indptr: NDArray[np.int64], rows: object, entries: object) -> Self:
        """Return the rows and the entries that two indices select; None selects all."""
        columns = dict.fromkeys(self.ROW_COLUMNS, rows) | dict.fromkeys(self.ENTRY_COLUMNS, entries)
        selected: dict[str, Any] = {
            name: _picked(getattr(self, name), index)
            for name, index in columns.items()
            if index is not None
        }
        return dataclasses.replace(self, indptr=indptr, **selected)


def indptr_of(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return (N + 1,) where each row begins, and where the last ends, by its entries (N,)."""
    indptr = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=indptr[1:])
    return indptr


def from_cells(
    cells: NDArray[np.int64], num_rows: int, num_classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return indptr and classes of N rows that list ascending cells, row * C + class."""
    indptr = np.searchsorted(cells, np.arange(num_rows + 1) * num_classes)
    return indptr, (cells % num_classes).astype(np.int32)


def to_lists(indptr: NDArray[np.int64], *columns: NDArray[Any]) -> list[pa.ListArray]:
    """Return columns of entries (E,) as Arrow columns of lists (N,)."""
    offsets = pa.array(indptr.astype(np.int32))
    return [pa.ListArray.from_arrays(offsets, pa.array(column)) for column in columns]


def from_lists(*columns: pa.ListArray) -> tuple[NDArray[Any], ...]:
    """Return the indptr of Arrow columns of lists (N,) without nulls, and the entries of each."""
    lengths = pc.list_value_length(columns[0]).to_numpy(zero_copy_only=False)
    return indptr_of(lengths), *(column.flatten().to_numpy() for column in columns)


def distinct(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cells ascending, each once.

    By sorting: five to fifty times as fast as `np.unique`, which hashes.
    """
    cells = np.sort(cells)
    new = np.ones(len(cells), bool)
    new[1:] = cells[1:] != cells[:-1]
    return cells[new]


def find(ascending: NDArray[np.int64], cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each cell in ascending ones, -1 where it is not among them."""
    if not len(ascending):
        return np.full(len(cells), -1)
    place = np.searchsorted(ascending, cells)
    place[place == len(ascending)] = 0
    return np.where(ascending[place] == cells, place, -1)


def is_among(cells: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the cells are among ascending ones; faster than `np.isin`."""
    return find(ascending, cells) >= 0


def _picked(column: Any, index: Any) -> Any:  # noqa: ANN401 (arrays of NumPy and of Arrow)
    """Return what an index, a mask or a slice selects; None and numbers are the same for all."""
    if isinstance(column, np.ndarray):
        return column[index]
    if not isinstance(column, pa.Array):
        return column
    if isinstance(index, slice):
        return column.slice(index.start, index.stop - index.start)
    return column.filter(pa.array(index)) if index.dtype == bool else column.take(pa.array(index))


def _joined(columns: list[Any], sizes: list[int]) -> Any:  # noqa: ANN401
    """Return columns of parts as one; what is None or a number in some parts is written out."""
    first = columns[0]
    if isinstance(first, pa.Array):
        return pa.concat_arrays(columns)
    arrays = [isinstance(column, np.ndarray) for column in columns]
    if not any(arrays) and all(column == first for column in columns):
        return first
    ones = [1 if column is None else column for column in columns]
    filled = zip(ones, sizes, arrays, strict=True)
    return np.concatenate(
        [one if is_array else np.full(size, one, np.float32) for one, size, is_array in filled]
    )
