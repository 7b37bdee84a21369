"""Rows of CSV that every reader takes back as they were."""

import csv
from collections.abc import Iterable
from typing import TextIO


class CsvWriter:
    r"""Writes rows that end with a line feed; a cell may hold any character but zero.

    Python's own writer leaves a carriage return in a cell unquoted, which its reader takes for the
    end of a row.

    Args:
        file: opened with `newline=""`.
        delimiter: between cells.

    >>> import io
    >>> text = io.StringIO(newline="")
    >>> CsvWriter(text).writerows([["a\rb", 1], ["c,d", None]])
    >>> text.getvalue()
    '"a\rb",1\n"c,d",\n'
    """

    def __init__(self, file: TextIO, *, delimiter: str = ",") -> None:
        self._plain = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        self._quoted = csv.writer(
            file, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC
        )

    def writerow(self, row: Iterable[object]) -> None:
        """Write a row; None is an empty cell."""
        cells = ["" if cell is None else cell for cell in row]
        is_odd = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (self._quoted if is_odd else self._plain).writerow(cells)

    def writerows(self, rows: Iterable[Iterable[object]]) -> None:
        """Write rows, in turn."""
        for row in rows:
            self.writerow(row)
