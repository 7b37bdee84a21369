"""Tables of labels and ratings: CSV with commas, semicolons or tabs, or Parquet."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.core.arrow_files import arrow_source
from reeltag.core.csv_rows import CsvWriter
from reeltag.core.errors import DataError, reason_of

ID_COLUMNS = ("id", "video", "video_id", "file")  # the first that is there counts
RATING_NUMBERS = ("start_s", "end_s", "value")
KNOWN_COLUMNS = (*ID_COLUMNS, "class", *RATING_NUMBERS)
SUFFIXES = (".csv", ".tsv", ".parquet")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_HINT = "Save it as CSV in UTF-8 (in spreadsheets: CSV UTF-8), or as Parquet."
_ODD_ROW = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


def read_table(path: Path) -> pa.Table:
    """Return the columns of a CSV or Parquet file; known names are in lower case.

    A CSV is UTF-8, or UTF-16 with a byte order mark; its delimiter is a comma, semicolon or tab,
    whichever gives the header a column of ids. Its columns are all strings.

    Args:
        path: ends in .csv, .tsv or .parquet.

    Raises:
        DataError: it cannot be read, is empty, is in another encoding or has a column twice.
    """
    if path.suffix.lower() not in SUFFIXES:
        what = f"must end in {SUFFIXES[0]} or {SUFFIXES[-1]}"
        raise DataError(what, where=path, hint="Save it as one of them.")
    try:
        is_parquet = path.suffix.lower() == ".parquet"
        table = pq.ParquetFile(arrow_source(path)).read() if is_parquet else _read_csv(path)
    except (OSError, ValueError, pa.ArrowException) as error:  # names that are no text, too
        odd = _ODD_ROW.search(str(error))
        if odd:
            raise DataError(
                f"has {odd[3]} values; the header has {odd[2]}",
                where=f"{path}, row {int(odd[1]) - 1}",
                hint="Put quotation marks around a value that holds the delimiter.",
            ) from error
        raise DataError(f"cannot be read ({reason_of(error)})", where=path, hint=_HINT) from error
    given = [name.strip() for name in table.column_names]
    names = [name.lower() if name.lower() in KNOWN_COLUMNS else name for name in given]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"has the column {repeated[0]} twice", where=path, hint="Rename one.")
    if not len(table):
        raise DataError("has a header and no row", where=path, hint=_HINT)
    return table.rename_columns(names)


def _read_csv(path: Path) -> pa.Table:
    data = _utf8(path)
    header = data.split(b"\n", 1)[0].decode().rstrip("\r")
    delimiter = _delimiter(header)
    names = next(csv.reader([header], delimiter=delimiter), [])
    return pa_csv.read_csv(
        pa.py_buffer(data),
        pa_csv.ReadOptions(use_threads=False),  # with threads, errors name no row
        pa_csv.ParseOptions(delimiter=delimiter),
        pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )


def _utf8(path: Path) -> bytes:
    """Return the content of a text file in UTF-8, without a byte order mark."""
    data = path.read_bytes()
    try:
        if data[:2] in _UTF16:
            return data.decode("utf-16").encode()
        data = data.removeprefix(b"\xef\xbb\xbf")
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"is not {error.encoding.upper()} at byte 0x{data[error.start]:02x}"
        what += ": Latin-1 or Windows-1252?" if error.encoding == "utf-8" else ""
        raise DataError(what, where=f"{path}, line {line}", hint=_HINT) from error
    if b"\n" not in data:  # as old spreadsheets end lines
        data = data.replace(b"\r", b"\n")
    if b"\0" in data[:4096]:
        what = "holds zero bytes: UTF-16 without a byte order mark?"
        raise DataError(what, where=path, hint=_HINT)
    if not data.strip():
        raise DataError("is empty", where=path, hint=_HINT)
    return data


def _delimiter(header: str) -> str:
    """Return the delimiter by which the header has a column of ids; a comma where none does."""
    for delimiter in ",;\t":
        names = next(csv.reader([header], delimiter=delimiter), [])
        if {name.strip().lower() for name in names} & set(ID_COLUMNS):
            return delimiter
    return ","


def id_column(table: pa.Table, path: Path, needed: str) -> pa.Array:
    """Return (E,) the ids of a table as strings, without spaces around them; none is null.

    Args:
        table: with one of `ID_COLUMNS`.
        path: of its file, for the error.
        needed: columns, for the error.

    Raises:
        DataError: there is no such column.
    """
    name = next((name for name in ID_COLUMNS if name in table.column_names), None)
    if name is None:
        raise missing_column("id", table, path, needed)
    return strings(table[name], path)


def strings(column: pa.ChunkedArray, path: Path) -> pa.Array:
    """Return a column of text, bytes or numbers as strings, trimmed; null and NaN become "".

    Args:
        column: to convert.
        path: of its file, for the error.

    Raises:
        DataError: it holds something else.
    """
    values = column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks)
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    try:
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), None, values)
        return pc.utf8_trim_whitespace(pc.fill_null(values.cast(pa.string()), ""))
    except pa.ArrowException as error:
        what = f"has a column of {values.type}, where text or numbers are needed"
        raise DataError(what, where=path, hint="Write ids and classes as text.") from error


def number_column(table: pa.Table, name: str, path: Path, needed: str) -> NDArray[np.float64]:
    """Return (E,) a column as numbers.

    Args:
        table: that has it.
        name: of the column.
        path: of its file, for the error.
        needed: columns, for the error.

    Raises:
        DataError: it is not there, or a value is no number, with its row.
    """
    if name not in table.column_names:
        raise missing_column(name, table, path, needed)
    text = strings(table[name], path)
    try:
        return np.asarray(pc.cast(text, pa.float64()).to_numpy(), np.float64)
    except pa.ArrowInvalid:
        pass
    row = next(at for at, value in enumerate(text.to_pylist()) if not _is_number(value))
    raise DataError(
        f"{name} must be a number, got {text[row].as_py()!r}",
        where=f"{path}, row {row + 1}",
        hint="Correct the row or remove it.",
    )


def missing_column(name: str, table: pa.Table, path: Path, needed: str) -> DataError:
    """Return the error for a column that is not there, with those that are."""
    there = ", ".join(table.column_names[:12]) + ", ..." * (len(table.column_names) > 12)
    return DataError(
        f"has no column {name} (it has: {there})", where=path, hint=f"Needed columns: {needed}."
    )


def flag_column(column: pa.ChunkedArray, name: str, path: Path) -> NDArray[np.bool_]:
    """Return (E,) a column of 0 and 1, or true and false; what is empty is false.

    Args:
        column: to convert.
        name: of the column, for the error.
        path: of its file, for the error.

    Raises:
        DataError: a cell holds something else, with its row.
    """
    if pa.types.is_boolean(column.type):
        return np.asarray(pc.fill_null(column, False).to_numpy(), bool)
    text = pc.utf8_lower(strings(column, path))
    values = pc.unique(text)
    known = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0, "": 0, "nan": 0}
    codes = np.array([known.get(value, -1) for value in values.to_pylist()])
    found = codes[pc.index_in(text, value_set=values).to_numpy()]
    if (found < 0).any():
        row = int(found.argmin())
        raise DataError(
            f"{name} must be 0 or 1, or true or false, got {text[row].as_py()!r}",
            where=f"{path}, row {row + 1}",
            hint="Without a column class, each column but the id is a class, and says whether "
            "it is there. For scores, give soft labels.",
        )
    return np.asarray(found > 0)


def write_rows(path: Path, rows: Iterable[Sequence[object]], delimiter: str = ",") -> None:
    """Write a table as CSV in UTF-8, None as nothing; a cell may hold any character but zero.

    Args:
        path: of the file.
        rows: with the header as the first.
        delimiter: between cells.
    """
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        CsvWriter(file, delimiter=delimiter).writerows(rows)


def _is_number(value: str) -> bool:
    try:
        return float(value) is not None
    except ValueError:
        return False
