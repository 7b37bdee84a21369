"""Labels and ratings from CSV or Parquet files, in place of those that the records hold.

Shape letters: E entries (rows of a file, one per class), G videos, R records of an index.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.core.errors import DataError
from reeltag.data.annotation_tables import (
    KNOWN_COLUMNS,
    RATING_NUMBERS,
    SUFFIXES,
    flag_column,
    id_column,
    missing_column,
    number_column,
    read_table,
    strings,
)
from reeltag.data.class_cells import UNKNOWN, index_of, indices_of, split_cell
from reeltag.data.class_list import ClassList, folder_of
from reeltag.data.id_matching import match_file_names
from reeltag.data.index import Index
from reeltag.data.streams import MAX_CLASSES, TABLE_SCHEMA

AnnotationKind: TypeAlias = Literal["labels", "ratings", "events"]
NEEDED_COLUMNS: dict[AnnotationKind, str] = {
    "labels": "id, class",
    "ratings": "id, start_s, end_s, class, value",
    "events": "id, start_s, end_s, class",
}
_NUMBERS = {"labels": (), "ratings": RATING_NUMBERS, "events": RATING_NUMBERS[:2]}
_SHOWN = 3  # unknown ids and classes that are named


def find_annotations(data: Path, kind: AnnotationKind) -> Path | None:
    """Return labels.csv or labels.parquet (or ratings) in a data folder; None where there is none.

    Args:
        data: folder or shard.
        kind: what is looked for.

    Raises:
        DataError: there are several.
    """
    folder = folder_of(data)
    found = [folder / f"{kind}{suffix}" for suffix in SUFFIXES]
    found = [path for path in found if path.is_file()]
    if len(found) > 1:
        raise DataError(
            f"there is {found[1].name} too",
            where=found[0],
            hint=f"Remove one, or give the files: Dataset.open(..., {kind}=[...]) joins them.",
        )
    return found[0] if found else None


@dataclass(frozen=True, eq=False)
class Annotations:
    """A file of labels or ratings: E entries, of which some may have no class or several.

    Attributes:
        path: of the file.
        row: (E,) number of the row that each entry is in, from 0.
        ids: (E,) strings: ids or names of files.
        classes: (E,) strings: index, name or MID, or several; "": no class.
        numbers: name of another column -> (E,) float64.
    """

    path: Path
    row: NDArray[np.int64]
    ids: pa.Array
    classes: pa.Array
    numbers: dict[str, NDArray[np.float64]]

    @classmethod
    def read(cls, path: str | Path, kind: AnnotationKind, classes: ClassList | None) -> Self:
        """Read a .csv or .parquet file; columns that are not needed are ignored.

        Args:
            path: of the file. Its columns are id (or video, video_id, file) and class, for events
                also start_s and end_s, and for ratings value too; or, for labels, id and a column
                of 0 and 1 for each class, by its index, name or MID.
            kind: what it holds.
            classes: of the data; None: classes are numbers.

        Raises:
            DataError: it cannot be read, lacks a column or holds a number that is none.
        """
        path = Path(path)
        table, needed = read_table(path), NEEDED_COLUMNS[kind]
        ids = id_column(table, path, needed)
        if kind == "labels" and "class" not in table.column_names:
            row, values = _one_hot(table, path, classes, needed)
            return cls(path, row, ids.take(pa.array(row)), values, {})
        names = _NUMBERS[kind]
        lacking = [name for name in (*names, "class") if name not in table.column_names]
        if lacking:
            raise missing_column(", ".join(lacking), table, path, needed)
        row, values = _class_column(table["class"], path)
        numbers = {name: number_column(table, name, path, needed)[row] for name in names}
        return cls(path, row, ids.take(pa.array(row)), values, numbers)

    def largest_index(self) -> int:
        """Return the largest class that is given by its index; -1 where there is none.

        DataError where one is implausibly large, with its row.
        """
        largest = -1
        for value in pc.unique(self.classes).to_pylist():
            parts = [int(part) for part in (value, *split_cell(value)) if part.isdecimal()]
            largest = max([largest, *parts])
            if largest >= MAX_CLASSES:
                row = self.row[pc.index(self.classes, value).as_py()]
                raise DataError(
                    f"a class is a number from 0 to {MAX_CLASSES - 1}, got {value!r}",
                    where=f"{self.path}, row {row + 1}",
                    hint="Give a classes.csv (index, name) where such numbers are names.",
                )
        return largest

    def known(self, index: Index, classes: ClassList) -> "Entries":
        """Return the entries of known ids and classes; what is unknown is counted and named.

        Args:
            index: of the records.
            classes: by which the classes of the file are found.

        Raises:
            DataError: no entry can be used, or a name of a file means two videos.
        """
        names, ids = pc.unique(self.ids), pc.unique(index.table["id"])
        is_known = pc.is_in(names, value_set=ids).to_numpy(zero_copy_only=False)
        meant = self._meant(names.filter(pa.array(~is_known)).to_pylist(), ids)
        resolved = pa.array([meant.get(name, name) for name in names.to_pylist()], pa.string())
        is_known = pc.is_in(resolved, value_set=ids).to_numpy(zero_copy_only=False)
        code_E = pc.index_in(self.ids, value_set=names).to_numpy()
        known_E = is_known[code_E]
        self._log_unknown(self.ids, known_E, f"ids that are not in {index.root}")
        category, count_E, start_E, is_class_E = self._categories(classes)
        self._log_unknown(self.classes, is_class_E, "classes that are not in the list")
        count = np.where(known_E, count_E, 0)
        entry = np.repeat(np.arange(len(count)), count)
        if not len(entry):
            raise DataError(
                f"none of {int(self.row.max()) + 1:,} rows names a video and a class of the data",
                where=self.path,
                hint=f"Its ids must be those of {index.root}, its classes indices, names or MIDs "
                "of the class list (give one with classes=).",
            )
        within = np.arange(len(entry)) - np.repeat(np.cumsum(count) - count, count)
        return Entries(entry, resolved.take(code_E[entry]), category[start_E[entry] + within])

    def _categories(
        self, classes: ClassList
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return classes, and (E,) how many each entry has, from where on, and if all are known."""
        values = pc.unique(self.classes)
        lists = [indices_of(value, classes) for value in values.to_pylist()]
        kept = [[category for category in found if category != UNKNOWN] for found in lists]
        count = np.array([len(found) for found in kept], np.int64)
        whole = np.array([UNKNOWN not in found for found in lists], bool)
        code_E = pc.index_in(self.classes, value_set=values).to_numpy()
        flat = np.array([category for found in kept for category in found], np.int64)
        return flat, count[code_E], (np.cumsum(count) - count)[code_E], whole[code_E]

    def _meant(self, names: list[str], ids: pa.Array) -> dict[str, str]:
        """Return the ids that unknown names mean as names of files; each kind of it is logged."""
        found = match_file_names(names, ids.to_pylist()) if names else {}
        for name, meant in found.items():
            if len(meant) > 1:
                row = self.row[pc.index(self.ids, name).as_py()]
                raise DataError(
                    f"{name!r} may be {meant[0]!r} or {meant[1]!r}",
                    where=f"{self.path}, row {row + 1}",
                    hint="Give the ids as they are in the data.",
                )
        if found:
            name, (meant_id,) = next(iter(found.items()))
            more = f"{len(found):,} names of files are taken for ids"
            say(f"{self.path}: {more}, such as {name!r} for {meant_id!r}")
        return {name: meant[0] for name, meant in found.items()}

    def check_windows(self, entry: NDArray[np.int64] | None = None) -> None:
        """Check the times and values of ratings, whatever their videos are.

        Args:
            entry: numbers of those to check; None: all.

        Raises:
            DataError: a window begins before 0 or not before its end, or a value is outside [0, 1],
                with the row.
        """
        entry = np.arange(len(self.row)) if entry is None else entry
        start, end, value = (self.numbers[name][entry] for name in RATING_NUMBERS)
        self._check(entry, start >= 0, start, "start_s must be at least 0")
        self._check(entry, np.isfinite(end) & (end > start), end, "end_s must be after start_s")
        self._check(entry, (value >= 0) & (value <= 1), value, "value must be in [0, 1]")

    def check_ratings(self, index: Index, entries: "Entries") -> None:
        """Check the times and values of ratings.

        Args:
            index: of the records.
            entries: from `known`, which are of videos.

        Raises:
            DataError: as `check_windows`, or a window does not begin in its video.
        """
        self.check_windows(entries.entry)
        start, end = (self.numbers[name][entries.entry] for name in ("start_s", "end_s"))
        names, video, row_R = entries.by_video(index)
        shortest = np.full(len(names), np.iinfo(np.int32).max)
        frames_R, is_rated = index.table["frames"].to_numpy(), row_R >= 0
        np.minimum.at(shortest, row_R[is_rated], frames_R[is_rated])
        seconds = shortest[video] / index.features.rate_hz
        inside = start < seconds
        length = f" (of {seconds[int(inside.argmin())]:g} s)"
        rule = "start_s must be before the end of the video"
        self._check(entries.entry, inside, start, rule, length)
        late = int((end > seconds).sum())
        if late:
            say(f"{self.path}: {late:,} ratings end after their video: its frames are used")

    def _check(
        self,
        entry: NDArray[np.int64],
        holds: NDArray[np.bool_],
        found: NDArray[np.float64],
        rule: str,
        more: str = "",
    ) -> None:
        """Raise DataError with the first row of some entries that breaks a rule."""
        if not holds.all():
            at = int(holds.argmin())
            raise DataError(
                f"{rule}, got {found[at]:g}{more}",
                where=f"{self.path}, row {self.row[entry[at]] + 1}",
                hint="Correct the row or remove it.",
            )

    def _log_unknown(self, values: pa.Array, known: NDArray[np.bool_], what: str) -> None:
        if not known.all():
            unknown = pc.unique(values.filter(pa.array(~known))).to_pylist()
            shown = ", ".join(map(repr, unknown[:_SHOWN])) + ", ..." * (len(unknown) > _SHOWN)
            rows = len(np.unique(self.row[~known]))
            say(f"{self.path}: {rows:,} rows are of {what} and left out: {shown}")


@dataclass(frozen=True, eq=False)
class Entries:
    """Usable entries of a file: number and class of each, and the id of its video."""

    entry: NDArray[np.int64]
    ids: pa.Array
    category: NDArray[np.int64]

    def by_video(self, index: Index) -> tuple[pa.Array, NDArray[np.int64], NDArray[np.int64]]:
        """Return (G,) ids, the video of each entry, and (R,) the video of each record or -1."""
        names = pc.unique(self.ids)
        row_R = pc.fill_null(pc.index_in(index.table["id"], value_set=names), -1).to_numpy()
        video = pc.index_in(self.ids, value_set=names).to_numpy().astype(np.int64)
        return names, video, row_R.astype(np.int64)


def with_labels(index: Index, tables: Sequence[Annotations], classes: ClassList) -> Index:
    """Return the index with the labels of some files: every record has those of its id, or none.

    Args:
        index: of the records.
        tables: whose union counts.
        classes: by which the classes of the files are found.

    Raises:
        DataError: of one of them no row can be used.
    """
    entries = _joined([table.known(index, classes) for table in tables])
    _, video, row_R = entries.by_video(index)
    keys = np.unique(video << 32 | entries.category)
    return replace_columns(
        index, {"labels": _lists(keys >> 32, keys & 0xFFFFFFFF, row_R, "labels")}
    )


def with_ratings(index: Index, tables: Sequence[Annotations], classes: ClassList) -> Index:
    """Return the index with the ratings of some files, in their order.

    A window that ends behind its video keeps its end; it has the frames that there are.

    Args:
        index: of the records.
        tables: one after the other.
        classes: by which the classes of the files are found.

    Raises:
        DataError: of one of them no row can be used, or a row is out of range.
    """
    if index.kind == "video":
        raise DataError(
            "holds one vector per video, which has no segments to be rated",
            where=index.root,
            hint=f"Leave {tables[0].path} out, or give frame-level records.",
        )
    parts = []
    for table in tables:
        parts.append(table.known(index, classes))
        table.check_ratings(index, parts[-1])
    entries = _joined(parts)
    _, video, row_R = entries.by_video(index)
    start, end, value = (
        np.concatenate([t.numbers[name][p.entry] for t, p in zip(tables, parts, strict=True)])
        for name in RATING_NUMBERS
    )
    columns: dict[str, NDArray[Any]] = {
        "segment_starts": start,
        "segment_ends": end,
        "segment_labels": entries.category,
        "segment_scores": value.astype(np.float32),
    }
    return replace_columns(
        index, {name: _lists(video, of, row_R, name) for name, of in columns.items()}
    )


def _joined(parts: Sequence[Entries]) -> Entries:
    return Entries(
        np.concatenate([part.entry for part in parts]),
        pa.concat_arrays([part.ids for part in parts]),
        np.concatenate([part.category for part in parts]),
    )


def _class_column(column: pa.ChunkedArray, path: Path) -> tuple[NDArray[np.int64], pa.Array]:
    """Return row and text of each entry of a column of classes, which may hold lists."""
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return np.arange(len(column)), strings(column, path)
    lists = column.combine_chunks()
    count = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    flat = strings(pa.chunked_array([lists.flatten()]), path)
    empty = np.flatnonzero(count == 0)  # such rows still name a video
    row = np.concatenate([np.repeat(np.arange(len(column)), count), empty])
    return row, pa.concat_arrays([flat, pa.array([""] * len(empty), pa.string())])


def _one_hot(
    table: pa.Table, path: Path, classes: ClassList | None, needed: str
) -> tuple[NDArray[np.int64], pa.Array]:
    """Return row and class of each entry of a table with a column for each class."""
    others = [name for name in table.column_names if name not in KNOWN_COLUMNS]
    if classes is None:
        columns = [name for name in others if name.isdecimal()]
    else:
        columns = [name for name in others if index_of(name, classes) != UNKNOWN]
    if not columns:
        raise missing_column("class", table, path, needed)
    if len(columns) < len(others):
        unknown = [name for name in others if name not in columns]
        say(f"{path}: columns that are no class are left out: {', '.join(unknown[:10])}")
    flags = np.stack([flag_column(table[name], name, path) for name in columns], axis=1)
    row, column = np.nonzero(flags)
    empty = np.flatnonzero(~flags.any(axis=1))
    values = pa.array(columns, pa.string()).take(pa.array(column))
    padded = pa.concat_arrays([values, pa.array([""] * len(empty), pa.string())])
    return np.concatenate([row, empty]), padded


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


def replace_columns(index: Index, columns: dict[str, pa.Array]) -> Index:
    """Return the index with other columns in its table."""
    table = index.table
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, TABLE_SCHEMA.field(name), column)
    return replace(index, table=table)
