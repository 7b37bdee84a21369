"""Labels, ratings and classes given with features: checked for being readable, and copied."""

import csv
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from reeltag.core.errors import ConfigError, DataError, reason_of
from reeltag.core.files import whole_file
from reeltag.data.annotation_tables import KNOWN_COLUMNS, read_table
from reeltag.data.annotations import Annotations, split_cell
from reeltag.data.class_list import ClassList

TableKind: TypeAlias = Literal["labels", "ratings", "classes"]
_NAMING: tuple[Literal["labels", "ratings"], ...] = ("labels", "ratings")
_SUFFIXES = (".csv", ".parquet")
_HINT = "A table is CSV in UTF-8 with a header, or Parquet."


def header_of(path: Path) -> list[str]:
    """Return the column names of a CSV or Parquet file; every line of a CSV must be UTF-8.

    ConfigError where it is neither; DataError where it cannot be read; with the line.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"must end in {' or '.join(_SUFFIXES)}", where=path, hint=_HINT)
    if path.suffix.lower() == ".parquet":
        try:
            return [str(name) for name in pq.read_schema(path).names]
        except (OSError, pa.ArrowException) as error:
            what = f"cannot be read as Parquet ({reason_of(error)})"
            raise DataError(what, where=path, hint=_HINT) from error
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    hint = "Save it as UTF-8 (in spreadsheets: CSV UTF-8)."
                    raise DataError(f"line {number} is not UTF-8", where=path, hint=hint) from error
                if number == 1:
                    header = next(csv.reader([text]), [])
    except OSError as error:
        raise DataError(f"cannot be read ({reason_of(error)})", where=path, hint=_HINT) from error
    if not path.stat().st_size or not any(name.strip() for name in header):
        raise DataError("has no header", where=path, hint=_HINT)
    return [name.strip() for name in header]


def check_table(path: Path, kind: TableKind, classes: ClassList | None = None) -> None:
    """Check labels, ratings or classes given by a flag, as `Dataset.open` will read them.

    ConfigError where the file is of another kind; DataError where it cannot be read, or a column is
    missing.
    """
    if kind == "classes":
        ClassList.open(path, full=True)
    else:
        Annotations.read(path, kind, classes)


def names_in(tables: Mapping[TableKind, Path]) -> ClassList | None:
    """Return the classes that labels and ratings name; None where they are numbers."""
    names = set[str]()
    for kind in _NAMING:
        if kind not in tables:
            continue
        table = read_table(tables[kind])
        if "class" in table.column_names:
            for value in Annotations.read(tables[kind], kind, None).classes.unique().to_pylist():
                several = re.search(r"[;|\[]", value)  # a comma may be part of a name
                names |= {*split_cell(value)} if several else {value} - {""}
        else:
            names |= {name for name in table.column_names if name not in KNOWN_COLUMNS}
    if not names or all(name.isdecimal() for name in names):
        return None
    return ClassList(tuple(sorted(names)))


def check_addable(path: Path, existing: Path) -> None:
    """Raise DataError where the rows of a table cannot be added to one that is there."""
    if not existing.exists() or existing.read_bytes() == path.read_bytes():
        return
    here, there = header_of(path), header_of(existing)
    if existing.suffix != ".csv" or here != there:
        raise DataError(
            f"cannot be added to {existing}: it has {', '.join(here)}, that has {', '.join(there)}",
            where=path,
            hint="Give a CSV with the same columns in the same order.",
        )


def place_table(path: Path, kind: str, folder: Path, existing: Path | None = None) -> None:
    """Write a table as `folder`/kind.csv or .parquet, after the rows of an existing one.

    OutputError where it cannot be written.
    """
    with whole_file(folder / f"{kind}{path.suffix.lower()}") as part:
        if existing is None or not existing.exists():
            shutil.copyfile(path, part)
            return
        old, new = existing.read_bytes(), path.read_bytes()
        if old == new:
            shutil.copyfile(existing, part)
            return
        rows = new.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[1:]
        part.write_bytes(old + (b"" if old.endswith(b"\n") else b"\n") + b"".join(rows))
