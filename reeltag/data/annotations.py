"""Labels and ratings from CSV or Parquet files, in place of those that the records hold.

Shape letters: E entries (rows of a file), G videos that the file names, R records of an index.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError, reason_of
from reeltag.data.class_list import ClassList
from reeltag.data.index import Index
from reeltag.data.streams import TABLE_SCHEMA

LABEL_COLUMNS = ("id", "class")
RATING_COLUMNS = ("id", "start_s", "end_s", "class", "value")
_SHOWN = 3  # unknown ids and classes that are named


@dataclass(frozen=True, eq=False)
class Annotations:
    """E rows of a file of labels or ratings.

    Attributes:
        path: of the file.
        ids: (E,) strings.
        classes: (E,) strings (index, name or MID), or integers (index); null: no class.
        numbers: name of another column -> (E,) float64.
    """

    path: Path
    ids: pa.Array
    classes: pa.Array
    numbers: dict[str, NDArray[np.float64]]

    @classmethod
    def read(cls, path: str | Path, columns: Sequence[str]) -> "Annotations":
        """Read a .csv or .parquet file; other columns are ignored.

        Args:
            path: of the file.
            columns: `LABEL_COLUMNS` or `RATING_COLUMNS`.

        Raises:
            DataError: it cannot be read, lacks a column or holds a number that is none.
        """
        path = Path(path)
        table = _read(path, columns)
        classes, ids = table["class"].combine_chunks(), table["id"].combine_chunks()
        if isinstance(classes, pa.DictionaryArray):
            classes = classes.dictionary_decode()
        if not pa.types.is_integer(classes.type):
            classes = classes.cast(pa.string())
            classes = pc.if_else(pc.equal(classes, ""), None, classes)
        others = [name for name in columns if name not in LABEL_COLUMNS]
        numbers = {name: _numbers(table[name], name, path) for name in others}
        return cls(path, pc.fill_null(ids.cast(pa.string()), ""), classes, numbers)

    def largest_index(self) -> int:
        """Return the largest class that is given by its index; -1 where there is none."""
        values = pc.unique(self.classes).to_pylist()
        return max((int(value) for value in values if str(value).isdecimal()), default=-1)

    def with_labels(self, index: Index, classes: ClassList) -> Index:
        """Return the index with these labels: every record has those of its id, or none.

        Rows of unknown ids and classes are left out, and logged.

        Args:
            index: of the records.
            classes: by which the classes of the file are found.

        Raises:
            DataError: no row can be used.
        """
        rows, row_R = self._known(index, classes)
        keys = np.unique(rows.video << 32 | rows.category)
        lists = _lists(keys >> 32, keys & 0xFFFFFFFF, row_R, "labels")
        return _replaced(index, {"labels": lists})

    def with_ratings(self, index: Index, classes: ClassList) -> Index:
        """Return the index with these ratings, in the order of the file.

        A window that ends behind its video keeps its end; it has the frames that there are.

        Args:
            index: of the records.
            classes: by which the classes of the file are found.

        Raises:
            DataError: no row can be used; or a window does not begin in its video, or not before
                its end, or a value is outside [0, 1].
        """
        if index.kind == "video":
            raise DataError(
                "holds one vector per video, which has no segments to be rated",
                where=index.root,
                hint=f"Leave {self.path} out, or give frame-level records.",
            )
        rows, row_R = self._known(index, classes)
        start, end, value = (
            self.numbers[name][rows.entry] for name in ("start_s", "end_s", "value")
        )
        known = row_R >= 0
        shortest = np.full(len(rows.video) and int(rows.video.max()) + 1, np.iinfo(np.int32).max)
        np.minimum.at(shortest, row_R[known], index.table["frames"].to_numpy()[known])
        seconds = shortest[rows.video] / index.features.rate_hz
        rules = (
            (start >= 0, start, "start_s must be at least 0"),
            (np.isfinite(end) & (end > start), end, "end_s must be after start_s"),
            (start < seconds, start, "start_s must be before the end of the video"),
            ((value >= 0) & (value <= 1), value, "value must be in [0, 1]"),
        )
        for holds, found, rule in rules:
            if not holds.all():
                at = int(holds.argmin())
                raise DataError(
                    f"{rule}, got {found[at]:g}",
                    where=f"{self.path}, row {rows.entry[at] + 1}",
                    hint="Correct the row or remove it.",
                )
        columns: dict[str, NDArray[Any]] = {
            "segment_starts": start,
            "segment_ends": end,
            "segment_labels": rows.category,
            "segment_scores": value.astype(np.float32),
        }
        return _replaced(
            index, {name: _lists(rows.video, of, row_R, name) for name, of in columns.items()}
        )

    def _known(self, index: Index, classes: ClassList) -> tuple["_Rows", NDArray[np.int64]]:
        """Return the rows of known ids and classes, and (R,) the video of each record or -1."""
        names = pc.unique(self.ids)
        row_R = pc.fill_null(pc.index_in(index.table["id"], value_set=names), -1).to_numpy()
        video_E = pc.index_in(self.ids, value_set=names).to_numpy().astype(np.int64)
        is_there = np.zeros(len(names), bool)
        is_there[row_R[row_R >= 0]] = True
        values = pc.unique(self.classes)
        number = np.array([_index_of(value, classes) for value in values.to_pylist()], np.int64)
        category_E = number[pc.index_in(self.classes, value_set=values).to_numpy()]
        known_E = is_there[video_E]
        self._log_unknown(self.ids, known_E, f"ids that are not in {index.root}")
        self._log_unknown(self.classes, category_E != _UNKNOWN, "classes that are not in the list")
        entry = np.flatnonzero(known_E & (category_E >= 0))
        if not len(entry):
            raise DataError(
                f"none of {len(self.ids):,} rows names a video and a class of the data",
                where=self.path,
                hint=f"Its ids must be those of {index.root}, its classes indices, names or MIDs "
                "of the class list (give one with classes=).",
            )
        return _Rows(entry, video_E[entry], category_E[entry]), row_R.astype(np.int64)

    def _log_unknown(self, values: pa.Array, known: NDArray[np.bool_], what: str) -> None:
        if not known.all():
            unknown = pc.unique(values.filter(pa.array(~known))).to_pylist()
            shown = ", ".join(map(repr, unknown[:_SHOWN])) + ", ..." * (len(unknown) > _SHOWN)
            say(f"{self.path}: {(~known).sum():,} rows are of {what} and left out: {shown}")


@dataclass(frozen=True, eq=False)
class _Rows:
    """Usable entries: number of each, of its video (of G) and of its class."""

    entry: NDArray[np.int64]
    video: NDArray[np.int64]
    category: NDArray[np.int64]


_NO_CLASS, _UNKNOWN = -1, -2


def _index_of(value: str | int | None, classes: ClassList) -> int:
    if value is None:
        return _NO_CLASS
    try:
        return classes.index_of(value)
    except ConfigError:
        return _UNKNOWN


def _lists(
    video: NDArray[np.int64], values: NDArray[Any], row_R: NDArray[np.int64], column: str
) -> pa.Array:
    """Return a column of the index: for each record the values of its video, in their order."""
    num_videos = int(max(video.max(initial=-1), row_R.max(initial=-1))) + 1
    order = np.argsort(video, kind="stable")
    ends = np.cumsum(np.bincount(video, minlength=num_videos + 1))  # the last video has none
    offsets = pa.array(np.append(0, ends), pa.int32())
    kind = TABLE_SCHEMA.field(column).type
    lists = pa.ListArray.from_arrays(offsets, pa.array(values[order], kind.value_type))
    return lists.take(pa.array(np.where(row_R < 0, num_videos, row_R)))


def _replaced(index: Index, columns: dict[str, pa.Array]) -> Index:
    table = index.table
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, TABLE_SCHEMA.field(name), column)
    return replace(index, table=table)


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return the columns of a file; DataError where it has not all of them."""
    readers = {".csv": _read_csv, ".parquet": pq.read_table}
    if path.suffix not in readers:
        raise DataError("must end in .csv or .parquet", where=path, hint="Save it as one of them.")
    try:
        table: pa.Table = readers[path.suffix](path)
    except (OSError, pa.ArrowException) as error:
        what = f"cannot be read ({reason_of(error)})"
        raise DataError(what, where=path, hint=f"Needed columns: {', '.join(columns)}.") from error
    lacking = [name for name in columns if name not in table.column_names]
    if lacking:
        raise DataError(
            f"has no column {', '.join(lacking)} (it has: {', '.join(table.column_names)})",
            where=path,
            hint=f"Needed columns: {', '.join(columns)}.",
        )
    return table.select(list(columns))


def _read_csv(path: Path) -> pa.Table:
    names = [*dict.fromkeys((*LABEL_COLUMNS, *RATING_COLUMNS))]
    options = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    return pa_csv.read_csv(path, convert_options=options)


def _numbers(column: pa.ChunkedArray, name: str, path: Path) -> NDArray[np.float64]:
    """Return a column as numbers; DataError with the row of the first that is none."""
    try:
        cast = pc.cast(column, pa.float64())
        if not cast.null_count:
            return np.asarray(cast.to_numpy(), np.float64)
    except pa.ArrowInvalid:
        pass
    row = next(at for at, value in enumerate(column.to_pylist()) if not _is_number(value))
    raise DataError(
        f"{name} must be a number, got {column[row].as_py()!r}",
        where=f"{path}, row {row + 1}",
        hint="Correct the row or remove it.",
    )


def _is_number(value: object) -> bool:
    try:
        return float(str(value)) is not None
    except ValueError:
        return False
