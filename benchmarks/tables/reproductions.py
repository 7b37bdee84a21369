"""The papers' tables next to ours, the papers' orders, and why some of these fail."""

from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.results import Row, read_rows
from benchmarks.tables.cells import holds, interval, table

QUANTILES = ("least", "tenth", "median", "ninetieth", "most")


def reproductions() -> dict[str, Callable[[], str]]:
    """Return for each proof what makes the tables of its paper, and the paper's orders."""
    return {row["proof"]: partial(_proof, row) for row in read_rows("reproductions")}


def _proof(row: Row) -> str:
    texts = [_paper_table(each) for each in row["tables"]]
    if row["orders"]:
        head = f"**The orders, {row['metric']}, {_seeds(row['seeds'])}**"
        texts.append(f"{head}\n\n{_orders(row['orders'])}")
    return "\n\n".join(texts)


def _paper_table(of: Row) -> str:
    digits = of["digits"]

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    paper = [f"paper: {metric}" for metric in of["paper"]]
    ours = [head for metric in of["ours"] for head in (f"ours: {metric}", "by seed, or 95 %")]
    rows = []
    for row in of["rows"]:
        cells = [row["name"], *row["marks"]]
        cells += [number(value) for value in row["paper"] or [None] * len(paper)]
        for value, by, ends in zip(row["ours"], row["seeds"], row["intervals"], strict=True):
            spread = interval(ends, digits) if ends else ""
            cells += [number(value), ", ".join(map(number, by)) or spread]
        rows.append(cells)
    return f"**{of['title']}**\n\n{table(['', *of['marks'], *paper, *ours], rows)}"


def _seeds(seeds: Sequence[int]) -> str:
    return f"{len(seeds)} seeds" if len(seeds) > 1 else "one seed"


def _orders(orders: Sequence[Row]) -> str:
    """Return a row for each pair of models that the paper compares."""
    rows = []
    for each in orders:
        gain = f"{each['difference']:+.4f} {interval(each['interval'], 4, '+')}"
        values = [f"{each['value']:.4f}", f"{each['against']:.4f}"]
        rows.append([each["better"], each["worse"], *values, gain, holds(each["interval"])])
    return table(["better", "than", "ours", "against", "difference [95 %]", "holds here"], rows)


def spreads() -> str:
    """Return how soft labels are spread over the classes that are evaluated."""
    rows = []
    for of in read_rows("failed_orders", "spreads"):
        spread = ", ".join(f"{of[name]:,.0f}" for name in QUANTILES)
        left = f"{of['segments_equal']:,} of {of['segments']:,}"
        numbers = [f"{of['per_class']:,}", f"{of['classes_cut']:,}", left]
        rows.append([of["drawn"], f"{of['classes']:,}", spread, *numbers])
    segments = f"segments per class: {', '.join(QUANTILES)}"
    head = ["soft labels are drawn from", "evaluated classes", segments, "m"]
    return table([*head, "classes that m cuts", "segments left"], rows)


def trials() -> str:
    """Return the orders of the trials that investigate the failed ones."""
    return "\n\n".join(
        f"**{of['about']}**, {_seeds(of['seeds'])}: `{of['command']}`\n\n{_orders(of['orders'])}"
        for of in read_rows("failed_orders", "trials")
    )
