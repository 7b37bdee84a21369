"""Rows of CSV are read back as they were, whatever is in their cells."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from reeltag.core.csv_rows import CsvWriter

# zero is no text of CSV; halves of pairs are no text of a file
CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
ROWS = st.lists(st.lists(CELLS | st.integers(), min_size=1))


@given(ROWS, st.sampled_from(",;\t"))
def test_rows_are_read_back(rows: list[list[str | int]], delimiter: str) -> None:
    text = io.StringIO(newline="")
    CsvWriter(text, delimiter=delimiter).writerows(rows)
    text.seek(0)
    assert [*csv.reader(text, delimiter=delimiter)] == [[*map(str, row)] for row in rows]
