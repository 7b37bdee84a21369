"""`make bench`: every speed and memory figure, as a table and in results/.

    python -m benchmarks [NAME [PART ...] ...] [--quick] [--json] [--resume]
    python -m benchmarks models nextvlad        some rows; the others in results/ stay as they are
    python -m benchmarks gpu [--help]           all figures of one GPU; benchmarks/gpu/command.py

A figure is the median of several runs (indexing: the best), with its target; the peer it is
compared with ran in the same minutes. Run it on a quiet machine. Rows are written as soon as they
are measured: stopped, it resumes with --resume.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from rich.table import Table

from benchmarks.environment import code_commit, machine
from benchmarks.gpu import command as gpu
from benchmarks.results import RESULTS, Row, read_rows
from benchmarks.units import NAMES, Unit, UnitError, command_of, units_of
from benchmarks.writing import write_figures
from reeltag.core.console import STDOUT, say


def main(arguments: list[str] | None = None, folder: Path = RESULTS) -> int:
    """Run the benchmarks that are named; return 1 if a target was missed."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["gpu"]:
        return gpu.main(arguments[1:], folder)
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, no table")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="skip what was measured on such a machine at this commit",
    )
    options = parser.parse_args(arguments)
    try:
        units = units_of(options.names)
    except UnitError as error:
        parser.error(str(error))
    rows = []
    for unit in units:
        if not (options.resume and _is_measured(unit, folder)):
            rows += _measure(unit, options.quick, quiet=options.json, folder=folder)
    if options.json:
        print(json.dumps(rows, indent=2))
    return int(any(row.get("met") is False for row in rows))


def _measure(unit: Unit, quick: bool, *, quiet: bool, folder: Path) -> list[Row]:
    """Return the rows of a unit, which are printed, and written unless they are quick ones."""
    say(f"{unit} ...")
    began = time.monotonic()
    rows = unit.run(quick)
    seconds = round(time.monotonic() - began, 1)
    if not quiet:
        STDOUT.print(_table(str(unit), rows))
    if not quick:
        write_figures(unit.benchmark, rows, command_of(unit), seconds=seconds, folder=folder)
    return rows


def _is_measured(unit: Unit, folder: Path) -> bool:
    """Return whether the results have the rows of a unit, of this commit and machine."""
    rows = [
        row
        for row in read_rows(f"bench_{unit.benchmark}", folder=folder)
        if row.get("part") == unit.part and row["machine"] == machine()
    ]
    commit = code_commit()
    return bool(rows) and all(row["measured"]["commit"] == commit for row in rows)


def _table(title: str, rows: list[Row]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("figure", "value", "unit", "target", "met"):
        table.add_column(column, justify="right" if column in ("value", "target") else "left")
    for row in rows:
        value, met = row["value"], row.get("met")
        shown = f"{value:,.4g}" if isinstance(value, float) else str(value)
        verdict = "" if met is None else "yes" if met else "NO"
        table.add_row(row["name"], shown, row["unit"], row.get("target", ""), verdict)
    return table


if __name__ == "__main__":
    sys.exit(main())
