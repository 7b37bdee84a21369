"""Tables in a data folder: videos.csv, that is read, and labels.csv, that is read and written."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reeltag.core.csv_rows import CsvWriter
from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import whole_file
from reeltag.data.annotation_tables import ID_COLUMNS, SUFFIXES, read_table, strings

LABELS_FILE, VIDEOS_FILE = "labels.csv", "videos.csv"
EXTRACTED = "extracted"  # state of a video that has features
GIVEN = "given"  # source of rows that were there without one
_COLUMNS = ("id", "class", "source", "confidence")


@dataclass(frozen=True)
class WeakLabel:
    """A class that a source says is somewhere in a video.

    Attributes:
        video: id.
        class_name: as in the class list.
        source: where it comes from: "folders", "csv", "encoder:yamnet", ...
        confidence: in [0, 1], as far as the source knows it.
    """

    video: str
    class_name: str
    source: str
    confidence: float


@dataclass(frozen=True)
class LabelTable:
    """The rows of labels.csv, columns that are not ours included.

    Attributes:
        columns: id, class, source, confidence, and others.
        rows: a value for each column.
    """

    columns: tuple[str, ...] = _COLUMNS
    rows: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def open(cls, data: Path) -> "LabelTable":
        """Read labels.csv of a data folder; without it there are no rows.

        Args:
            data: folder.

        Raises:
            DataError: it cannot be read, or labels are in a file of another kind.
        """
        for suffix in SUFFIXES:
            other = data / f"labels{suffix}"
            if other.is_file() and other.name != LABELS_FILE:
                raise DataError(
                    f"holds the labels already; sources are joined in {LABELS_FILE}",
                    where=other,
                    hint="Move it elsewhere, and add it with --from csv --table FILE.",
                )
        path = data / LABELS_FILE
        if not path.is_file():
            return cls()
        table = read_table(path)
        ids = next((name for name in ID_COLUMNS if name in table.column_names), None)
        if ids is None or "class" not in table.column_names:
            raise DataError(
                f"has no columns id and class (it has: {', '.join(table.column_names[:12])})",
                where=path,
                hint="Move it elsewhere, and add it with --from csv --table FILE.",
            )
        found = {name: strings(table[name], path).to_pylist() for name in table.column_names}
        found["id"] = found.pop(ids)
        empty = [""] * len(table)
        found["source"] = [source or GIVEN for source in found.get("source", empty)]
        found.setdefault("confidence", empty)
        columns = (*_COLUMNS, *(name for name in found if name not in _COLUMNS))
        return cls(columns, tuple(zip(*(found[name] for name in columns), strict=True)))

    def replaced(self, labels: Sequence[WeakLabel], sources: set[str]) -> "LabelTable":
        """Return the table with other labels of some sources; those of others stay.

        Args:
            labels: all of these sources.
            sources: whose rows are replaced, also where there are none any more.
        """
        place = self.columns.index("source")
        kept = [row for row in self.rows if row[place] not in sources]
        more = ("",) * (len(self.columns) - len(_COLUMNS))
        new = [
            (label.video, label.class_name, label.source, f"{label.confidence:.3f}", *more)
            for label in labels
        ]
        order = {row: at for at, row in enumerate((*kept, *new))}  # each once
        return LabelTable(self.columns, tuple(order))

    def save(self, data: Path) -> None:
        """Write labels.csv, whole or not at all; OutputError where it cannot be written."""
        path = data / LABELS_FILE
        with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = CsvWriter(file)
            writer.writerow(self.columns)
            writer.writerows(self.rows)


def video_paths(data: Path) -> dict[str, Path]:
    """Return the path of each video by its id, from videos.csv of a data folder.

    Videos whose state is another than "extracted", which have no features, are left out.

    Args:
        data: folder.

    Raises:
        DataError: there is no videos.csv, or it cannot be read.
    """
    path = data / VIDEOS_FILE
    hint = "`reeltag extract` writes it; else a CSV file with the columns id and path."
    rows = read_rows(path, ("id", "path"), hint)
    return {
        row["id"]: Path(row["path"])
        for _, row in rows
        if row["id"] and row["path"] and row.get("state", EXTRACTED) == EXTRACTED
    }


def read_rows(path: Path, needed: Sequence[str], hint: str) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a CSV file in UTF-8, numbered by their line; cells without spaces around.

    Args:
        path: of the file.
        needed: columns that it must have.
        hint: the way out, for errors.

    Raises:
        DataError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            columns = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = columns
            rows = [
                (
                    reader.line_num,
                    {name: (row[name] or "").strip() for name in columns},
                )
                for row in reader
            ]
    except FileNotFoundError as error:
        raise DataError("is not there", where=path, hint=hint) from error
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"cannot be read ({reason_of(error)})", where=path, hint=hint) from error
    lacking = [name for name in needed if name not in columns]
    if lacking:
        shown = ", ".join(columns) or "nothing"
        raise DataError(f"has no column {lacking[0]} (it has: {shown})", where=path, hint=hint)
    return rows
