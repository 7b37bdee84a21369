"""`make bench`: every speed and memory figure, as a table and in results/.

    python -m benchmarks [NAME ...] [--quick]

A figure is the median of several runs (indexing: the best); its bar stands beside it, and the peer
it is compared with ran in the same minutes. Run it on a quiet machine.
"""

import argparse
import sys
import time
from importlib import import_module

from rich.table import Table

from benchmarks.record import write_result
from reeltag.core.console import STDOUT, say

NAMES = (
    "indexing",
    "loading",
    "labels",
    "metrics",
    "models",
    "training",
    "augmentation",
    "neighbours",
    "relation",
    "prediction_memory",
    "segment_scoring",
    "export",
    "blending",
    "stacking",
)


def main() -> int:
    """Run the benchmarks asked for; return 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    missed = 0
    for name in options.names or NAMES:
        say(f"{name} ...")
        began = time.monotonic()
        figures = import_module(f"benchmarks.{name}").run(options.quick)
        seconds = round(time.monotonic() - began, 1)
        _print(name, figures)
        missed += sum(figure.get("met") is False for figure in figures)
        if not options.quick:
            command = f"python -m benchmarks {name}"
            write_result(f"bench_{name}", command, {"seconds": seconds, "figures": figures})
    return int(missed > 0)


def _print(name: str, figures: list[dict[str, object]]) -> None:
    table = Table(title=name, title_justify="left", box=None, pad_edge=False)
    for column in ("figure", "value", "unit", "bar", "met"):
        table.add_column(column, justify="right" if column in ("value", "bar") else "left")
    for figure in figures:
        value, met = figure["value"], figure.get("met")
        shown = f"{value:,.4g}" if isinstance(value, float) else str(value)
        bar = "" if figure.get("bar") is None else str(figure["bar"])
        verdict = {True: "yes", False: "NO", None: ""}[met if isinstance(met, bool) else None]
        table.add_row(str(figure["name"]), shown, str(figure["unit"]), bar, verdict)
    STDOUT.print(table)


if __name__ == "__main__":
    sys.exit(main())
