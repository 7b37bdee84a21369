"""What an installation takes, and how soon it answers."""

from benchmarks.results import read_rows
from benchmarks.tables.cells import number, table, value, verdict


def sizes() -> str:
    """Return the bytes of the base, and of its largest packages."""
    rows = [[row["name"], value(row), _packages(row)] for row in read_rows("install", "sizes")]
    return table(["of `pip install reeltag`", "on the disk", "packages"], rows)


def times() -> str:
    """Return the seconds of each program, and the ratio of the medians to Python alone."""
    rows = [
        [
            row["name"],
            value(row),
            number(row["details"]["least"]),
            str(row["details"]["runs"]),
            number(row["details"]["ratio"]),
            row.get("target", ""),
            verdict(row),
        ]
        for row in read_rows("install", "times")
    ]
    return table(
        ["program", "median", "least, s", "runs", "times `python -c pass`", "target, s", "met"],
        rows,
    )


def extras() -> str:
    """Return what each extra adds to the base."""
    rows = [[row["name"], value(row), _packages(row)] for row in read_rows("install", "extras")]
    return table(["extra", "adds", "packages"], rows)


def _packages(row: dict[str, object]) -> str:
    details = row.get("details")
    return f"{details['packages']}" if isinstance(details, dict) else ""
