"""DATA/ratings.csv with more ratings in it: what is there stays, new rows come at the end.

A rating is known by its video, class, and start and end to a millisecond: given again with another
value, it is changed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reeltag.core.arrow_files import arrow_sink
from reeltag.core.console import say
from reeltag.core.files import whole_file
from reeltag.data.annotation_tables import ID_COLUMNS, RATING_NUMBERS, read_table, write_rows
from reeltag.data.annotations import Annotations, find_annotations
from reeltag.data.class_cells import indices_of
from reeltag.data.class_list import ClassList, folder_of
from reeltag.data.dataset import Dataset

RATINGS = "ratings.csv"
_NEW_COLUMNS = ("id", "start_s", "end_s", "class", "value")
_Key: TypeAlias = tuple[str, int, int, int]  # id, class, start and end in milliseconds


class Rating(NamedTuple):
    """The value of a class at the seconds [start_s, end_s) of a video, in [0, 1]."""

    id: str
    start_s: float
    end_s: float
    category: int
    value: float


@dataclass
class MergeCounts:
    """What ratings are to those that are there.

    Attributes:
        new: not there before.
        changed: there with another value.
        same: there with this value.
    """

    new: int = 0
    changed: int = 0
    same: int = 0


class RatingTable:
    """The ratings of a data set, as rows of the file in its folder.

    Args:
        path: of the file, existing or not.
        table: its columns.
        classes: of the data.

    Attributes:
        merged: ratings that `merge` found to be new or changed.
    """

    def __init__(self, path: Path, table: pa.Table, classes: ClassList) -> None:
        self.path, self._schema = path, table.schema
        self._columns: dict[str, list[Any]] = table.to_pydict()
        self._cells = [_cell(index, classes) for index in range(len(classes))]
        self._places: dict[_Key, tuple[int, float]] = {}
        self._classes_of: dict[int, list[int]] = {}
        self.merged: list[Rating] = []

    @classmethod
    def open(cls, data: Dataset) -> Self:
        """Return the ratings of the file in the data's folder, or else those of the records.

        Args:
            data: as `Dataset.open(path)` opens it, with or without the ratings of that file.

        Raises:
            DataError: the file cannot be read, or a row of it is out of range.
        """
        path = find_annotations(data.path, "ratings")
        if path is None:
            return cls._of_records(folder_of(data.path) / RATINGS, data)
        found = cls(path, read_table(path), data.classes)
        read = Annotations.read(path, "ratings", data.classes)
        known = read.known(data.index, data.classes)
        read.check_ratings(data.index, known)
        starts, ends, values = (read.numbers[name] for name in ("start_s", "end_s", "value"))
        for entry, name, category in zip(
            known.entry.tolist(), known.ids.to_pylist(), known.category.tolist(), strict=True
        ):
            row, key = int(read.row[entry]), _key(name, category, starts[entry], ends[entry])
            found._places[key] = row, float(values[entry])
            found._classes_of.setdefault(row, []).append(category)
        return found

    @classmethod
    def _of_records(cls, path: Path, data: Dataset) -> Self:
        empty = {name: pa.array([], pa.string()) for name in _NEW_COLUMNS}
        found = cls(path, pa.table(empty), data.classes)
        for rating in ratings_of(data):
            found._add(rating)
        if found._places:
            number = len(found._places)
            say(f"{path}: gets the {number:,} ratings of the records too, which it replaces")
        return found

    def __len__(self) -> int:
        """Return the number of ratings."""
        return len(self._places)

    def merge(self, ratings: Iterable[Rating]) -> MergeCounts:
        """Add ratings, or change those that are there, and return how many are what.

        Args:
            ratings: of videos and classes of the data.
        """
        counts = MergeCounts()
        for rating in ratings:
            there = self._places.get(_key(rating.id, rating.category, rating.start_s, rating.end_s))
            if there is None:
                counts.new += 1
                self._add(rating)
                self.merged.append(rating)
            elif abs(there[1] - rating.value) < 1e-6:
                counts.same += 1
            else:
                counts.changed += 1
                self._change(there[0], rating)
                self.merged.append(rating)
        return counts

    def save(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        with whole_file(self.path) as part:
            if self.path.suffix.lower() == ".parquet":
                with arrow_sink(part) as sink:
                    pq.write_table(pa.table(self._arrays()), sink)
                return
            delimiter = "\t" if self.path.suffix.lower() == ".tsv" else ","
            rows = zip(*self._columns.values(), strict=True)
            write_rows(part, [tuple(self._columns), *rows], delimiter)

    def _add(self, rating: Rating) -> None:
        id_column = next(name for name in ID_COLUMNS if name in self._columns)
        cells = {
            id_column: rating.id,
            "start_s": self._number("start_s", rating.start_s),
            "end_s": self._number("end_s", rating.end_s),
            "class": self._class("class", [rating.category]),
            "value": self._number("value", rating.value),
        }
        row = len(self._columns["value"])
        for name, column in self._columns.items():
            column.append(cells.get(name))
        self._classes_of[row] = [rating.category]
        key = _key(rating.id, rating.category, rating.start_s, rating.end_s)
        self._places[key] = row, rating.value

    def _change(self, row: int, rating: Rating) -> None:
        """Set the value of a row; one of several classes leaves the row for one of its own."""
        others = [category for category in self._classes_of[row] if category != rating.category]
        if others:
            self._columns["class"][row] = self._class("class", others)
            self._classes_of[row] = others
            self._add(rating)
            return
        self._columns["value"][row] = self._number("value", rating.value)
        key = _key(rating.id, rating.category, rating.start_s, rating.end_s)
        self._places[key] = row, rating.value

    def _number(self, name: str, value: float) -> object:
        """Return a number as the column holds it."""
        return _plain(value) if pa.types.is_string(self._schema.field(name).type) else value

    def _class(self, name: str, categories: list[int]) -> object:
        """Return a cell of some classes as the column holds it."""
        kind = self._schema.field(name).type
        if pa.types.is_integer(kind) and len(categories) == 1:
            return categories[0]
        cells = [self._cells[category] for category in categories]
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            return categories if pa.types.is_integer(kind.value_type) else cells
        return cells[0] if len(cells) == 1 else str(categories)

    def _arrays(self) -> dict[str, pa.Array]:
        """Return the columns, of their types but for whole numbers that others joined."""
        arrays = {}
        for name, column in self._columns.items():
            kind = self._schema.field(name).type
            numbers = name in RATING_NUMBERS and pa.types.is_integer(kind)
            is_whole = not numbers or all(float(cell).is_integer() for cell in column)
            arrays[name] = pa.array(column, kind if is_whole else pa.float64())
        return arrays


def ratings_of(data: Dataset) -> Iterator[Rating]:
    """Yield the ratings that count, by record and in the order of each.

    Args:
        data: whose ratings they are, of a file or of its records.
    """
    names = ("id", "segment_starts", "segment_ends", "segment_labels", "segment_scores")
    rated = pc.greater(pc.fill_null(pc.list_value_length(data.table["segment_starts"]), 0), 0)
    for row in data.table.select(names).filter(rated).to_pylist():
        for rating in zip(*(row[name] for name in names[1:]), strict=True):
            yield Rating(row["id"], *rating)


def _cell(index: int, classes: ClassList) -> str:
    """Return the name of a class, or its index where the name may be taken for something else."""
    name = classes.names[index]
    return name if indices_of(name.strip(), classes) == [index] else str(index)


def _key(name: str, category: int, start_s: float, end_s: float) -> _Key:
    return name, category, round(1000 * start_s), round(1000 * end_s)


def _plain(value: float) -> str:
    """Return a number with at most 6 decimals.

    >>> _plain(3.0), _plain(0.1 + 0.2)
    ('3', '0.3')
    """
    return f"{value:.6f}".rstrip("0").rstrip(".")
