"""Tables with a paper's figures next to ours, for the terminal, JSON and reports."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import rich.table
from rich import box
from rich.markup import escape


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One row of a table.

    Attributes:
        name: of the model or stage, as the paper calls it.
        paper: a figure for each metric of the paper; None = the paper has none.
        ours: a figure for each metric that we measured; None = not measured.
        intervals: 95 % of our figures, (low, high); None, or empty, where there are none.
        note: a word next to it.
        marks: words in the table's columns of words; empty = none.
    """

    name: str
    paper: tuple[float | None, ...] = ()
    ours: tuple[float | None, ...] = ()
    intervals: tuple[tuple[float, float] | None, ...] = ()
    note: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a paper with our figures.

    Attributes:
        title: "Table 1", and what it shows.
        paper: the paper's metrics: "MAP@K, private leaderboard".
        ours: our metrics, which may be others: "MAP@K, test part of the reels".
        lines: rows from top to bottom.
        digits: behind the point.
        note: data, seeds, how it was measured; reels and mosaics are named as such.
        marks: heads of columns of words, which come before the figures.
    """

    title: str
    paper: tuple[str, ...]
    ours: tuple[str, ...]
    lines: tuple[TableRow, ...]
    digits: int = 3
    note: str = ""
    marks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that every row has as many figures as there are metrics; raise ValueError."""
        for row in self.lines:
            where = f"{self.title}, {row.name}"
            for what in ("paper", "ours", "marks"):
                count, columns = len(getattr(row, what)), len(getattr(self, what))
                if count not in (0, columns):
                    raise ValueError(f"{where}: {count} figures of {what}, {columns} columns")
            if len(row.intervals) not in (0, len(row.ours)):
                raise ValueError(f"{where}: intervals and figures differ")

    def to_json(self) -> dict[str, Any]:
        """Return the table as JSON values."""
        return dataclasses.asdict(self)

    def to_rich(self) -> rich.table.Table:
        """Return the table for the terminal; unknown figures are dashes."""
        out = rich.table.Table(
            title=escape(self.title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
        )
        if self.note:
            out.caption, out.caption_justify = escape(self.note), "left"
        out.add_column("", overflow="fold")
        for name in self.marks:
            out.add_column(escape(name), justify="center")
        for name in self.paper:
            out.add_column(f"paper: {escape(name)}", justify="right")
        for name in self.ours:
            out.add_column(f"{'here: ' if self.paper else ''}{escape(name)}", justify="right")
        noted = any(row.note for row in self.lines)
        if noted:
            out.add_column("")
        for row in self.lines:
            out.add_row(
                escape(row.name),
                *map(escape, row.marks or ("",) * len(self.marks)),
                *self._figures(row),
                *([escape(row.note)] if noted else []),
            )
        return out

    def _figures(self, row: TableRow) -> list[str]:
        paper = row.paper or (None,) * len(self.paper)
        ours = row.ours or (None,) * len(self.ours)
        texts = [_text(value, self.digits) for value in (*paper, *ours)]
        for at, interval in enumerate(row.intervals, start=len(paper)):
            if interval is not None:
                low, high = (_text(end, self.digits) for end in interval)
                texts[at] += f" ({low} to {high})"
        return texts


def figure_of(value: float | None) -> float | None:
    """Return a score as a row takes it; None where it is unknown."""
    return None if value is None or math.isnan(value) else value


def interval_of(ends: list[float] | None) -> tuple[float, float] | None:
    """Return the interval in a file of scores as a row takes it; None where it is unknown."""
    if ends is None or any(math.isnan(end) for end in ends):
        return None
    return ends[0], ends[1]


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
