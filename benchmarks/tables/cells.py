"""How tables write values: numbers, intervals, targets, and where rows were measured."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from benchmarks.results import Row, read_rows


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    first, *others = (f"| {' | '.join(cells)} |" for cells in [head, *rows])
    return "\n".join([first, "|---" * len(head) + "|", *others])


def value(row: Row) -> str:
    """Return the value of a figure with its unit."""
    return f"{number(row['value'])} {row['unit']}".rstrip()


def number(value: float) -> str:
    """Return a number in four digits, or in all digits before the point."""
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def verdict(row: Row) -> str:
    """Return whether a figure meets its target; "" where it has none."""
    met = row.get("met")
    return "" if met is None else "yes" if met else "**no**"


def interval(ends: Sequence[float], digits: int = 3, sign: str = "") -> str:
    """Return "[low, high]"."""
    low, high = ends
    return f"[{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def holds(ends: Sequence[float], margin: float = 0.0) -> str:
    """Return whether a difference is above 0 by its interval: yes, no, or undecided.

    Args:
        ends: of the 95 % interval.
        margin: with one, whether it is above -margin: as good as.
    """
    low, high = ends
    return "yes" if low > -margin else "**no**" if high < -margin else "undecided"


def row_of(file: str, name: str, part: str = "rows", key: str = "name") -> Row:
    """Return the first row of a results file that has this name; KeyError without one."""
    for row in read_rows(file, part):
        if row[key] == name:
            return row
    raise KeyError(f"results/{file}.json has no row {name!r} in {part!r}")


def by_machine(rows: Sequence[Row], tabled: Callable[[Sequence[Row]], str]) -> str:
    """Return for each machine where and when the rows were measured, and their table."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["machine"], []).append(row)
    return "\n\n".join(
        f"{machine}; {_provenance(group)}:\n\n{tabled(group)}" for machine, group in groups.items()
    )


def _provenance(rows: Sequence[Row]) -> str:
    """Return at which commits, and when, rows were measured."""
    marks = Counter((row["measured"]["date"][:10], row["measured"]["commit"]) for row in rows)
    return ", ".join(
        f"{count} of {len(rows)} rows at {commit} on {date}"
        if count < len(rows)
        else f"measured at {commit} on {date}"
        for (date, commit), count in sorted(marks.items())
    )
