"""Is this checkout as fast as another one? Each row as the ratio of the two, measured in turns.

    python -m benchmarks.compare --against CHECKOUT [NAME [PART ...] ...] [--pairs 2] [--quick]

A unit of `python -m benchmarks` (a benchmark, or a part of one that has parts) runs in the other
checkout, here, in the other, here, ...: every run is a fresh process in its own checkout, with the
modules of that checkout; nothing is written. Rows are paired by name and unit; those left over, as
many on both sides, by their order, since a refactor may rename them. A ratio is ours / theirs of
the two runs of a pair: above 1 is better for rates, below 1 for seconds and bytes.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks.results import PROJECT, Row
from benchmarks.units import Unit, UnitError, units_of
from reeltag.core.console import STDOUT, say

RUN = """
import contextlib, importlib, json, sys
name, part, quick = sys.argv[1], sys.argv[2], sys.argv[3] == "quick"
with contextlib.redirect_stdout(sys.stderr):
    run = importlib.import_module(f"benchmarks.{name}").run
    rows = [*(run(quick, [part]) if part else run(quick))]
print(json.dumps([{key: row[key] for key in ("name", "unit", "value")} for row in rows]))
"""
Pair = tuple[Row, Row]  # theirs, ours


def main(arguments: list[str] | None = None) -> int:
    """Measure the units that are named in both checkouts, and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--against", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    options = parser.parse_args(arguments)
    if not (options.against / "benchmarks").is_dir():
        parser.error(f"--against {options.against}: no checkout, it has no folder benchmarks/")
    try:
        units = units_of(options.names)
    except UnitError as error:
        parser.error(str(error))
    for unit in units:
        found = in_turns(unit, (options.against, PROJECT), options.pairs, quick=options.quick)
        STDOUT.print(_table(unit, found))
    return 0


def in_turns(
    unit: Unit, checkouts: tuple[Path, Path], pairs: int, *, quick: bool
) -> dict[str, list[Pair]]:
    """Return for each row of a unit its values in both checkouts, pair by pair."""
    found: dict[str, list[Pair]] = {}
    for number in range(pairs):
        theirs, ours = (_rows(unit, checkout, quick=quick) for checkout in checkouts)
        for pair in paired(theirs, ours):
            found.setdefault(_title(pair), []).append(pair)
        say(f"{unit}: pair {number + 1} of {pairs}")
    return found


def ratios(runs: list[Pair]) -> list[float]:
    """Return ours / theirs of each pair; none of percents, or of what is not positive."""
    return [
        ours["value"] / theirs["value"]
        for theirs, ours in runs
        if theirs["value"] > 0 and not theirs["unit"].startswith("%")
    ]


def _table(unit: Unit, found: dict[str, list[Pair]]) -> Table:
    """Return the median values, and the smallest, median and largest ratio over the pairs."""
    table = Table(title=str(unit), title_justify="left", box=None, pad_edge=False)
    for column in ("figure", "theirs", "ours", "unit", "min", "median", "max"):
        left = column in ("figure", "unit")
        table.add_column(column, justify="left" if left else "right")
    for title, runs in found.items():
        values = [median(run[side]["value"] for run in runs) for side in (0, 1)]
        each = ratios(runs)
        ends = [f"{of(each):.3f}" for of in (min, median, max)] if each else [""] * 3
        table.add_row(title, *(f"{value:,.4g}" for value in values), runs[0][1]["unit"], *ends)
    return table


def paired(theirs: list[Row], ours: list[Row]) -> Iterator[Pair]:
    """Yield rows of both sides: by name and unit, the others in their order if as many are left.

    Raises ValueError if rows are left over that cannot be paired; it names them.
    """
    known = {(row["name"], row["unit"]): row for row in theirs}
    partner = {at: known.pop((row["name"], row["unit"]), None) for at, row in enumerate(ours)}
    lonely = [at for at, row in partner.items() if row is None]
    if len(lonely) != len(known):
        names = ([ours[at]["name"] for at in lonely], [row["name"] for row in known.values()])
        raise ValueError(f"not paired: only here {names[0]}, only there {names[1]}")
    partner |= dict(zip(lonely, known.values(), strict=True))
    for at, row in partner.items():
        assert row is not None
        yield row, ours[at]


def _title(pair: Pair) -> str:
    theirs, ours = (row["name"] for row in pair)
    return ours if ours == theirs else f"{ours} (there: {theirs})"


def _rows(unit: Unit, checkout: Path, *, quick: bool) -> list[Row]:
    """Return the rows of a unit, measured in a fresh process in a checkout.

    Ratios to a peer's fixed rate are left out: they say again what their rates say.
    """
    root = checkout.resolve()
    command = [sys.executable, "-c", RUN, unit.benchmark, unit.part or "", "quick" if quick else ""]
    done = subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rows: list[Row] = json.loads(done.stdout.splitlines()[-1])
    return [row for row in rows if not row["name"].startswith("ratio ")]


if __name__ == "__main__":
    sys.exit(main())
