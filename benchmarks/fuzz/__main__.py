"""Fuzz what reads files, records, videos and requests.

    python -m benchmarks.fuzz records|files|index|parquet|runs|onnx|videos|api ... [--minutes N]
    python -m benchmarks.fuzz repeat FAILURE...    run kept failures again

Cases are mutations of sound input, drawn by number: the same seed gives the same ones. They run in
processes with limits of memory and time. A failure is a crash, a hang, an exception that is not an
error for people, more memory than the limit, or a value that is not what the input holds. Each kind
of failure is kept once, made as small as it can be, in the folder of failures.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.fuzz.campaign import Campaign, CampaignResult
from benchmarks.fuzz.findings import kept_case
from benchmarks.fuzz.pool import FuzzWorker, prepared
from benchmarks.fuzz.targets import NAMES
from benchmarks.results import RESULTS, write_rows
from reeltag.core.console import say

_REPEAT = "repeat"


def main(arguments: list[str] | None = None, folder: Path = RESULTS) -> int:
    """Run the targets that are named; return 1 if something failed."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.fuzz")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="+", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument(
        "--minutes", type=float, help="of each target (1, where --cases is not given)"
    )
    parser.add_argument("--cases", type=int, help="of each target")
    parser.add_argument("--seed", type=int, default=0, help="of the cases")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"))
    parser.add_argument("--save", action="store_true", help="write rows into results/fuzz.json")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args(arguments)
    if options.names[0] == _REPEAT:
        return _repeat([Path(name) for name in options.names[1:]])
    if unknown := [name for name in options.names if name not in NAMES and "." not in name]:
        parser.error(f"there is no target {unknown[0]!r}; there are {', '.join(NAMES)}, repeat")
    results = [_run(name, options) for name in options.names]
    rows = [result.row() for result in results]
    if options.save:
        for row in rows:
            limit = (
                f"--cases {options.cases}"
                if options.cases
                else f"--minutes {options.minutes or 1:g}"
            )
            command = f"python -m benchmarks.fuzz {row['target']} {limit} --seed {options.seed}"
            command += f" --first {options.first}" if options.first else ""
            key = ("target", "seed", "first")
            write_rows("fuzz", [row], key=key, measured=environment(command), folder=folder)
    if options.json:
        print(json.dumps(rows, indent=2))
    return int(any(result.failed for result in results))


def _run(name: str, options: argparse.Namespace) -> CampaignResult:
    minutes = options.minutes or (None if options.cases else 1.0)
    result = Campaign(
        target=name,
        seed=options.seed,
        cases=options.cases,
        seconds=None if minutes is None else 60 * minutes,
        first=options.first,
        jobs=options.jobs,
        failures=options.failures,
        progress=say,
    ).run()
    counts = ", ".join(f"{count:,} {kind}" for kind, count in result.failed.items())
    say(
        f"{name}: {result.cases:,} cases in {result.seconds:g} s, {result.accepted:,} accepted, "
        f"{result.refused:,} refused, failed: {counts or 'none'}"
    )
    for one in result.kept:
        sizes = " -> ".join(f"{size:,}" for size in one["bytes"])
        say(f"  {one['kind']}: {one['what']} ({sizes} bytes) in {one['folder']}")
    return result


def _repeat(folders: list[Path]) -> int:
    """Run kept failures again; return 1 if one still fails."""
    failed = 0
    for folder in folders:
        about, case = kept_case(folder)
        with tempfile.TemporaryDirectory() as work:
            prepared(about["target"], Path(work) / "shared")
            with FuzzWorker(about["target"], Path(work) / "shared", Path(work) / "own") as worker:
                found = worker.run(case)
        say(f"{folder}: {f'{found.kind}: {found.what}' if found else 'no failure'}")
        if found:
            say(found.details)
        failed += found is not None
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
