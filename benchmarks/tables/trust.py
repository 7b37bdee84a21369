"""What was fuzzed, killed and run on full disks."""

from collections.abc import Sequence

from benchmarks.fuzz.targets import NAMES
from benchmarks.results import Row, read_rows
from benchmarks.tables.cells import table


def fuzz() -> str:
    """Return for each target how many cases were run, and how many failed."""
    rows = read_rows("fuzz")
    cells = [_fuzzed(name, [row for row in rows if row["target"] == name]) for name in NAMES]
    head = ["target", "what is read", "cases", "accepted", "refused", "failed", "minutes"]
    return table(head, [row for row in cells if row])


def _fuzzed(name: str, rows: Sequence[Row]) -> list[str]:
    """Return the cells of a target: sums over its seeds."""
    if not rows:
        return []
    numbers = [sum(row[field] for row in rows) for field in ("cases", "accepted", "refused")]
    failed = sum(sum(row["failed"].values()) for row in rows)
    minutes = sum(row["seconds"] for row in rows) / 60
    shown = [f"{number:,}" for number in (*numbers, failed)]
    return [f"`{name}`", rows[-1]["about"], *shown, f"{minutes:.1f}"]


def kills() -> str:
    """Return for each command how often it was killed, and what was wrong after the next run."""
    rows = [
        [f"`{row['command']}`", f"{row['killed']:,}", "; ".join(row["faults"]) or "nothing"]
        for row in read_rows("kill")
    ]
    return table(["command", "killed", "wrong after the next run"], rows)


def full_disks() -> str:
    """Return for each command the sizes of disk it was run on, and what was wrong."""
    rows = [
        [
            f"`{row['command']}`",
            f"{row['sizes']:,}",
            f"{row['enough_bytes'] / 1024:,.0f} KiB",
            "; ".join(row["faults"]) or "nothing",
        ]
        for row in read_rows("full_disk")
    ]
    return table(["command", "sizes of disk", "enough", "wrong where there is no room"], rows)
