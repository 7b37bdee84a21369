"""Where benchmarks write their figures: a row for each name, unit and machine."""

from collections.abc import Iterable
from pathlib import Path

from benchmarks.environment import environment, machine
from benchmarks.results import RESULTS, Row, write_rows

KEY = ("name", "unit", "machine")  # a run on other hardware replaces nothing


def write_figures(
    benchmark: str,
    rows: Iterable[Row],
    command: str,
    *,
    seconds: float | None = None,
    folder: Path = RESULTS,
) -> None:
    """Merge figures that `command` measured on this machine into `results/bench_<benchmark>.json`.

    Args:
        benchmark: its name.
        rows: of `figure.figure`.
        command: what a person types to repeat them.
        seconds: what the run took.
        folder: of the file.
    """
    measured = environment(command) | ({} if seconds is None else {"run_seconds": seconds})
    here = machine()
    marked = ({**row, "machine": here} for row in rows)
    write_rows(f"bench_{benchmark}", marked, key=KEY, measured=measured, folder=folder)
