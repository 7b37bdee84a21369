"""CSV: a line for each moment, with all that is known of it."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from reeltag.core.errors import DataError
from reeltag.core.files import PathLike
from reeltag.data.annotation_tables import (
    id_column,
    missing_column,
    number_column,
    read_table,
    strings,
    write_rows,
)
from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport, MomentFormat
from reeltag.deploy.moment_formats.verdicts import GivenRating

_NEEDED = "id, start_s, end_s, class, value"
COLUMNS = (
    "class",
    "name",
    "id",
    "start_s",
    "end_s",
    "peak_s",
    "prob",
    "mean_prob",
    "precision",
    "precision_low",
    "precision_high",
    "yes",
    "no",
    "value",
)


def write(export: MomentExport, path: Path) -> list[str]:
    """Write all moments, in their order; the column value is empty, for a person to fill.

    Args:
        export: what to write.
        path: of the file.

    Returns:
        Nothing is left out.
    """
    write_rows(path, chain([COLUMNS], map(_row, export.moments)))
    return []


def _row(moment: ExportedMoment) -> list[object]:
    known = (moment.precision, *(moment.precision_interval or (None, None)), moment.yes, moment.no)
    times = (moment.start_s, moment.end_s, moment.peak_s)
    values = (moment.index, moment.name, moment.id, *times, moment.prob, moment.mean_prob)
    cells = (*values, *known, "")
    return [cell.replace("\0", "\ufffd") if isinstance(cell, str) else cell for cell in cells]


def read(path: PathLike) -> Iterator[GivenRating]:
    """Yield the rows of a table; those whose value is empty are not rated.

    Args:
        path: of a .csv, .tsv or .parquet file with the columns id, start_s, end_s, class and value.

    Raises:
        DataError: it cannot be read, lacks a column, or a number is none.
    """
    path = Path(path)
    table = read_table(path)
    ids = id_column(table, path, _NEEDED).to_pylist()
    for name in ("class", "value"):
        if name not in table.column_names:
            raise missing_column(name, table, path, _NEEDED)
    starts, ends = (number_column(table, name, path, _NEEDED) for name in ("start_s", "end_s"))
    classes, values = (strings(table[name], path).to_pylist() for name in ("class", "value"))
    rows = zip(ids, starts.tolist(), ends.tolist(), classes, values, strict=True)
    for number, (video, start, end, title, text) in enumerate(rows, 1):
        try:
            value = float(text) if text else None
        except ValueError as error:
            what = f"value must be a number in [0, 1] or empty, got {text!r}"
            raise DataError(what, where=f"{path}, row {number}") from error
        yield GivenRating(video, start, end, title, value)


FORMAT = MomentFormat(
    name="csv",
    what="a table; with its column value filled, `reeltag ratings` reads it back",
    makes="file",
    write=write,
)
