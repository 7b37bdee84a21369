"""Tables of docs/results/rating.md: what chosen ratings reach, next to random ones."""

from benchmarks.results import Row, read_rows
from benchmarks.tables.cells import interval, table

SHOWN = (50, 100, 200, 400, 600, 800)
AGAINST = ("random", "labelled")


def choosing() -> str:
    """Return MAP by policy and number of ratings, and 400 chosen ones against 800 random ones."""
    rows = [_cells(row) for row in read_rows("choosing")]
    head = ["data", "spread", "policy", "labels alone"]
    head += [*(f"{size} ratings" for size in SHOWN), "yes of 400"]
    head += [f"400 over 800 {name}: difference [95 %]" for name in AGAINST]
    return table([*head, "the same of all windows, random", "at least 800 random"], rows)


def whole_curves() -> str:
    """Return MAP with its interval after every batch."""
    rows = read_rows("choosing")
    sizes = rows[0]["ratings"]
    head = ["data", "spread", "policy", *(f"{size}" for size in sizes)]
    return table(head, [_curve(row) for row in rows])


def _curve(row: Row) -> list[str]:
    values = zip(row["values"], row["intervals"], strict=True)
    return [
        row["data"],
        f"{row['spread']:g}",
        row["policy"],
        *(f"{v:.3f} {interval(ends)}" for v, ends in values),
    ]


def _cells(row: Row) -> list[str]:
    at = [row["ratings"].index(size) for size in SHOWN]
    against = [row[f"400_over_800_{name}"] for name in AGAINST]
    return [
        row["data"],
        f"{row['spread']:g}",
        row["policy"],
        f"{row['stage_1']:.4f}",
        *(f"{row['values'][n]:.4f}" for n in at),
        f"{row['positives'][row['ratings'].index(400)]:.0f}",
        *(f"{o['difference']:+.4f} {interval(o['interval'], 4, '+')}" for o in against),
        f"{against[0]['all_windows']:+.4f}",
        _verdict(against[0]),
    ]


def _verdict(of: Row) -> str:
    """Return whether the difference is at least 0, and whether its interval leaves 0 out."""
    low, high = of["interval"]
    if low > 0 or high < 0:
        return "yes" if low > 0 else "**no**"
    return "yes, within noise" if of["difference"] >= 0 else "**no**, within noise"
