"""How tables write values: numbers, intervals, targets, and where rows were measured."""

from collections.abc import Iterable, Sequence
from itertools import groupby

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


def row_of(file: str, name: str, part: str = "rows", key: str = "name") -> Row:
    """Return the row of a results file that has this name; KeyError without one."""
    for row in read_rows(file, part):
        if row[key] == name:
            return row
    raise KeyError(f"results/{file}.json has no row {name!r} in {part!r}")


def provenance(rows: Sequence[Row]) -> str:
    """Return a line: at which commits, when and on what the rows were measured."""
    marks = sorted(
        (m["date"][:10], m["commit"], _machine(m)) for m in (row["measured"] for row in rows)
    )
    found = []
    for (date, commit, machine), group in groupby(marks):
        count = len([*group])
        some = f"{count} of {len(rows)} rows " if count < len(rows) else ""
        found.append(f"{some}at {commit} on {date}, {machine}")
    return f"Measured {'; '.join(found)}."


def _machine(measured: Row) -> str:
    capability = f" ({measured['cpu_capability']})" if "cpu_capability" in measured else ""
    cores = f"{measured['cores']} cores of {measured['cpu']}{capability}"
    return f"{cores}, {measured['gpu'] or 'no GPU'}"
