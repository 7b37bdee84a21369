"""Tables for the terminal: the paper's figures beside ours."""

from rich import box
from rich import table as rich_table
from rich.markup import escape

from reeltag.papers.common.contract import Line, Table


def drawn(table: Table) -> rich_table.Table:
    """Return a table for the terminal; figures that nobody has are dashes."""
    out = rich_table.Table(
        title=escape(table.title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    if table.note:
        out.caption, out.caption_justify = escape(table.note), "left"
    out.add_column("", overflow="fold")
    for name in table.marks:
        out.add_column(escape(name), justify="center")
    for name in table.paper:
        out.add_column(f"paper: {escape(name)}", justify="right")
    for name in table.ours:
        out.add_column(f"{'here: ' if table.paper else ''}{escape(name)}", justify="right")
    noted = any(line.note for line in table.lines)
    if noted:
        out.add_column("")
    for line in table.lines:
        out.add_row(
            escape(line.name),
            *map(escape, line.marks or ("",) * len(table.marks)),
            *_figures(line, table),
            *([escape(line.note)] if noted else []),
        )
    return out


def _figures(line: Line, table: Table) -> list[str]:
    paper = line.paper or (None,) * len(table.paper)
    ours = line.ours or (None,) * len(table.ours)
    intervals = line.intervals or (None,) * len(ours)
    texts = [_text(value, table.digits) for value in (*paper, *ours)]
    for at, interval in enumerate(intervals, start=len(paper)):
        if interval is not None:
            low, high = (_text(end, table.digits) for end in interval)
            texts[at] += f" ({low} to {high})"
    return texts


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
