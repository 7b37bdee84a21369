"""Labels from a table of ids or file names, and classes."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from reeltag.core.console import say
from reeltag.core.errors import DataError
from reeltag.data.annotation_tables import ID_COLUMNS, number_column, read_table
from reeltag.data.annotations import Annotations
from reeltag.data.class_cells import split_cell
from reeltag.data.class_list import ClassList
from reeltag.data.id_matching import match_file_names
from reeltag.library.labelling.from_paths import Word

CSV = "csv"
_SHOWN = 3


def table_words(path: Path, ids: Collection[str], classes: Sequence[str]) -> list[Word]:
    """Return the classes that a CSV or Parquet file gives to videos.

    Args:
        path: with columns id (or video, video_id, file) and class, and perhaps confidence in
            [0, 1]; or id and a column of 0 and 1 for each class.
        ids: of the videos; the file may name them by their files.
        classes: of the user, whose names may hold commas; empty: none are known.

    Raises:
        DataError: it cannot be read, lacks a column, or names no video.
    """
    listed = ClassList(tuple(classes)) if classes else None
    table = Annotations.read(path, "labels", listed)
    confidence = _confidence(path)
    names = [str(name) for name in table.ids.to_pylist()]
    known = {*ids}
    meant = match_file_names({*names} - known, known)
    found, unknown = [], dict[str, None]()
    whole = {*classes}
    for row, name, cell in zip(table.row.tolist(), names, table.classes.to_pylist(), strict=True):
        videos = [name] if name in known else meant.get(name, [])
        if not videos:
            unknown[name] = None
            continue
        if len(videos) > 1:
            raise DataError(
                f"{name!r} may be {videos[0]!r} or {videos[1]!r}",
                where=f"{path}, row {row + 1}",
                hint="Give the ids as they are in the data.",
            )
        words = [cell] if cell in whole else split_cell(cell) or [cell]
        found += [Word(videos[0], word, float(confidence[row])) for word in words if word]
    if unknown:
        shown = ", ".join(map(repr, [*unknown][:_SHOWN])) + ", ..." * (len(unknown) > _SHOWN)
        say(f"{path}: {len(unknown):,} ids are not in the data and left out: {shown}")
    if not found:
        raise DataError(
            "no row names a video of the data and a class",
            where=path,
            hint=f"Its ids ({' or '.join(ID_COLUMNS)}) must be those of the data, or file names.",
        )
    return found


def _confidence(path: Path) -> np.ndarray:
    """Return the confidence of each row, 1 where the file gives none."""
    table = read_table(path)
    if "confidence" not in table.column_names:
        return np.ones(len(table))
    values = number_column(table, "confidence", path, "id, class, confidence")
    if not ((values >= 0) & (values <= 1)).all():
        row = int(((values >= 0) & (values <= 1)).argmin())
        raise DataError(
            f"confidence must be in [0, 1], got {values[row]:g}",
            where=f"{path}, row {row + 1}",
            hint="Correct the row or remove it.",
        )
    return values
