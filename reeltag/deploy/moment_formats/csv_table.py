"""CSV: a line for each moment, with all that is known of it."""

import csv
from pathlib import Path

from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport, MomentFormat

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
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_row, export.moments))
    return []


def _row(moment: ExportedMoment) -> list[object]:
    known = (moment.precision, *(moment.precision_interval or (None, None)), moment.yes, moment.no)
    times = (moment.start_s, moment.end_s, moment.peak_s)
    values = (moment.index, moment.name, moment.id, *times, moment.prob, moment.mean_prob)
    return [*values, *("" if value is None else value for value in known), ""]


FORMAT = MomentFormat(
    name="csv",
    what="a table; with its column value filled, `reeltag ratings` reads it back",
    makes="file",
    write=write,
)
