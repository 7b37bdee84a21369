"""Sparse rows against lists of Python, and sets of cells against its sets."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from reeltag.core.sparse import (
    SparseRows,
    distinct,
    find,
    from_lists,
    indptr_of,
    is_among,
    to_lists,
)

Row = tuple[str, float, list[tuple[int, float, float]]]  # name, number; class, value, weight


@dataclass(frozen=True, eq=False)
class NamedRows(SparseRows):
    """Rows with columns of every sort."""

    ROW_COLUMNS: ClassVar = ("names", "numbers")
    ENTRY_COLUMNS: ClassVar = ("classes", "values", "weights")

    names: pa.Array = None
    numbers: float | NDArray[np.float32] = 1.0
    weights: NDArray[np.float32] | None = None


def random_rows(seed: int) -> list[Row]:
    """Return 0 to 6 rows of 0 to 4 entries."""
    rng = np.random.default_rng(seed)
    return [
        (
            "abc"[rng.integers(3)],
            float(rng.integers(9)),
            [
                (int(c), float(rng.integers(5)), float(rng.integers(5)))
                for c in rng.choice(6, rng.integers(5), replace=False)
            ],
        )
        for _ in range(seed % 7)
    ]


seeds = pytest.mark.parametrize("seed", range(20))


def sparse(listed: list[Row]) -> NamedRows:
    entries = [entry for _, _, held in listed for entry in held]
    return NamedRows(
        indptr_of(np.array([len(held) for _, _, held in listed], np.int64)),
        np.array([entry[0] for entry in entries], np.int32),
        np.array([entry[1] for entry in entries], np.float32),
        names=pa.array([name for name, _, _ in listed], pa.string()),
        numbers=np.array([number for _, number, _ in listed], np.float32),
        weights=np.array([entry[2] for entry in entries], np.float32),
    )


def listed(found: NamedRows) -> list[Row]:
    assert isinstance(found.numbers, np.ndarray)
    assert found.values is not None and found.weights is not None
    columns = found.classes.tolist(), found.values.tolist(), found.weights.tolist()
    entries = [*zip(*columns, strict=True)]
    return [
        (name, number, entries[found.indptr[row] : found.indptr[row + 1]])
        for row, (name, number) in enumerate(
            zip(found.names.to_pylist(), found.numbers.tolist(), strict=True)
        )
    ]


@seeds
def test_rows_are_taken_masked_and_sliced_as_lists_are(seed: int) -> None:
    rng, rows = np.random.default_rng(seed), random_rows(seed)
    found = sparse(rows)
    order = rng.integers(0, len(rows), 8 if rows else 0)
    assert listed(found.take(order)) == [rows[row] for row in order]
    mask = rng.random(len(rows)) < 0.5
    assert listed(found.where(mask)) == [row for row, kept in zip(rows, mask, strict=True) if kept]
    first, last = sorted(rng.integers(0, len(rows) + 1, 2).tolist())
    assert listed(found.slice(first, last)) == rows[first:last]


@seeds
def test_entries_are_kept_and_rows_without_any_stay(seed: int) -> None:
    rows = random_rows(seed)
    found = sparse(rows)
    kept = found.keep(found.classes % 2 == 0)
    assert listed(kept) == [
        (name, number, [entry for entry in held if entry[0] % 2 == 0])
        for name, number, held in rows
    ]
    full = kept.where(kept.counts() > 0)
    assert listed(full) == [row for row in listed(kept) if row[2]]
    assert np.shares_memory(full.classes, kept.classes) or not len(full.classes)


@seeds
def test_entries_know_their_row_place_and_cell(seed: int) -> None:
    rows = random_rows(seed)
    found = sparse(rows)
    expected = [
        (row, place, entry[0])
        for row, (_, _, held) in enumerate(rows)
        for place, entry in enumerate(held)
    ]
    columns = found.row_of_entry().tolist(), found.place_in_row().tolist(), found.classes.tolist()
    assert [*zip(*columns, strict=True)] == expected
    assert found.cells(6).tolist() == [row * 6 + c for row, _, c in expected]
    dense = found.to_dense(6, fill=-1.0)
    assert dense.shape == (len(rows), 6) and (dense >= 0).sum() == len(expected)
    assert dense.reshape(-1)[found.cells(6)].tolist() == found.values.tolist()  # type: ignore[union-attr]


@seeds
def test_concatenated_rows_follow_each_other(seed: int) -> None:
    parts = [random_rows(seed + more) for more in range(seed % 3 + 1)]
    joined = NamedRows.concatenate([sparse(part) for part in parts])
    assert listed(joined) == [row for part in parts for row in part]


def test_concatenation_keeps_what_all_parts_leave_out() -> None:
    ones = NamedRows(np.array([0, 1]), np.array([3], np.int32), names=pa.array(["a"]))
    both = NamedRows.concatenate([ones, ones])
    assert both.values is None and both.weights is None and both.numbers == 1.0
    full = sparse([("b", 2.0, [(0, 0.5, 0.25)])])
    assert listed(NamedRows.concatenate([ones, full])) == [
        ("a", 1.0, [(3, 1.0, 1.0)]),
        ("b", 2.0, [(0, 0.5, 0.25)]),
    ]
    with pytest.raises(ValueError, match="nothing to concatenate"):
        NamedRows.concatenate([])


@seeds
def test_arrow_lists_hold_the_same_entries(seed: int) -> None:
    rows = random_rows(seed)
    found = sparse(rows)
    assert found.values is not None
    classes, values = to_lists(found.indptr, found.classes, found.values)
    assert classes.to_pylist() == [[entry[0] for entry in held] for _, _, held in rows]
    for part in (slice(None), slice(1, 3)):  # a slice of an Arrow array has an offset
        read = from_lists(classes[part], values[part])
        expected = sparse(rows[part])
        for mine, theirs in zip(
            read, (expected.indptr, expected.classes, expected.values), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("size", [0, 1, 2, 500])
def test_sets_of_cells_equal_those_of_python(size: int) -> None:
    rng = np.random.default_rng(size)
    some, others = rng.integers(0, 400, size), rng.integers(0, 400, 300)
    ascending = distinct(some)
    assert ascending.tolist() == sorted(set(some.tolist()))
    assert is_among(others, ascending).tolist() == [cell in set(some.tolist()) for cell in others]
    place = find(ascending, others)
    assert (ascending[place[place >= 0]] == others[place >= 0]).all()
    assert not is_among(some, np.empty(0, np.int64)).any()
