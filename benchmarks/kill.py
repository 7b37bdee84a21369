"""Kill every command that writes, at random moments, and let it go on.

    python -m benchmarks.kill [NAME ...] [--kills N] [--seed S] [--json]

Half of the kills come when the command does something with a file, half after a random time. The
command is then run again, as a person would: it must end well, with the bytes of a run that nobody
killed, without a lock that is stuck, and without files that do not belong there.
"""

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.environment import environment
from benchmarks.results import RESULTS, Row, write_rows
from benchmarks.writers import WRITERS, RunEnd, Writer, contents, run_command, write_inputs
from reeltag.core.console import say

# what a command says of a result that is whole
_EXISTS = ("exists already", "holds files already")


def main(arguments: list[str] | None = None, folder: Path = RESULTS) -> int:
    """Kill the commands that are named; return 1 where one did not go on as it should."""
    names = [writer.name for writer in WRITERS]
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.kill")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--kills", type=int, default=100, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", action="store_true", help="write rows into results/kill.json")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in names]:
        parser.error(f"there is no command {unknown[0]!r}; there are {', '.join(names)}")
    rows = list[Row]()
    with tempfile.TemporaryDirectory(prefix="kill-") as work:
        inputs = write_inputs(Path(work) / "in")
        for writer in WRITERS:
            if options.names and writer.name not in options.names:
                continue
            rows.append(killed(writer, inputs, Path(work), options.kills, options.seed))
            say(format_row(rows[-1]))
            if options.save:
                command = f"python -m benchmarks.kill '{writer.name}' --kills {options.kills}"
                measured = environment(f"{command} --seed {options.seed}")
                write_rows("kill", rows[-1:], key=("command",), measured=measured, folder=folder)
    if options.json:
        print(json.dumps(rows, indent=2))
    return int(any(row["failed"] for row in rows))


def killed(writer: Writer, inputs: Path, work: Path, kills: int, seed: int) -> Row:
    """Return what came of killing a command so many times.

    Args:
        writer: the command.
        inputs: folder of what it reads.
        work: folder to work in.
        kills: how many times.
        seed: of the moments.
    """
    out = work / "out"
    plain = _ran(writer, inputs, out)
    if plain.status:
        return _row(writer, 0, {}, [f"ends with status {plain.status}: {plain.output[-300:]}"])
    expected, rng = contents(out), random.Random(f"{seed} {writer.name}")
    faults, counts = Counter[str](), Counter[str]()
    for number in range(kills):
        shutil.rmtree(out)
        writer.begin(inputs, out)
        if number % 2:
            moment: dict[str, Any] = {"die_after_s": rng.uniform(0, plain.seconds)}
        else:
            moment = {"die_at_event": rng.randint(1, max(1, plain.events))}
        first = run_command(writer.words(inputs, out), work, **moment)
        counts["killed" if first.status == -9 else "done before"] += 1
        again = run_command(writer.words(inputs, out, again=first.status == -9), work)
        if again.status and writer.again:  # it had not begun: from the beginning
            again = run_command(writer.words(inputs, out), work)
        if fault := _fault(writer, again, expected, contents(out)):
            faults[fault] += 1
    shutil.rmtree(out)
    return _row(writer, kills, dict(counts), [f"{n} x {what}" for what, n in faults.items()])


def _ran(writer: Writer, inputs: Path, out: Path) -> RunEnd:
    shutil.rmtree(out, ignore_errors=True)
    writer.begin(inputs, out)
    return run_command(writer.words(inputs, out), out.parent)


def _fault(writer: Writer, again: RunEnd, expected: dict[str, str], found: dict[str, str]) -> str:
    """Return what is wrong after the second run; "" where nothing is."""
    if again.status is None:
        return "the next run does not end"
    if "should not happen" in again.output or "Traceback" in again.output:
        return f"the next run fails: {again.output.strip().splitlines()[0][:160]}"
    if again.status and not any(words in again.output for words in _EXISTS):
        return f"the next run ends with status {again.status}: {_last(again.output)}"
    expected, found = (
        {name: of for name, of in files.items() if writer.may_differ not in name}
        for files in (expected, found)
    )
    if missing := sorted(expected.keys() - found.keys()):
        return f"{missing[0]} is missing after the next run"
    if more := sorted(found.keys() - expected.keys()):
        return f"{_plain(more[0])} is left after the next run"
    compared = (name for name in expected if writer.compared(name))
    if other := [name for name in compared if expected[name] != found[name]]:
        return f"{other[0]} has other bytes after the next run"
    return ""


def _plain(name: str) -> str:
    """Return a name without what is random in it: the letters of temporary names."""
    return re.sub(r"[0-9a-f]{16}", "#", name)


def _last(output: str) -> str:
    lines = [line for line in output.strip().splitlines() if "error" in line] or [output.strip()]
    return lines[0][:200]


def _row(writer: Writer, kills: int, counts: dict[str, int], faults: list[str]) -> Row:
    return {
        "command": writer.name,
        "kills": kills,
        "killed": counts.get("killed", 0),
        "failed": len(faults),
        "faults": faults,
    }


def format_row(row: Row) -> str:
    """Return a row as a line of text."""
    faults = "; ".join(row["faults"]) or "nothing wrong after the next run"
    return f"{row['command']}: {row['killed']} of {row['kills']} runs killed, {faults}"


if __name__ == "__main__":
    sys.exit(main())
