"""Kill commands that write, at random moments, and let them go on.

    python -m benchmarks.kill [NAME ...] [--kills N] [--seed S] [--save] [--json]

Half of the kills come when the command does something with a file, half after a random time. The
command is then run again, as a person would: it must end well, with the bytes of a run that nobody
killed, without a lock that is stuck, and without files that do not belong there.
"""

import random
import re
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, Row
from benchmarks.writer_program import WriterProgram, row_of
from benchmarks.writers import RunEnd, Writer, contents, run_command

# what a command says of a result that is whole
_EXISTS = ("exists already", "holds files already")


def main(arguments: list[str] | None = None, folder: Path = RESULTS) -> int:
    """Kill the commands that are named; return 1 where one did not go on as it should."""
    return _PROGRAM.run(arguments, folder)


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
        fault = f"ends with status {plain.status}: {plain.output[-300:]}"
        return row_of(writer, {"kills": 0, "killed": 0}, {fault: 1})
    expected, rng = contents(out), random.Random(f"{seed} {writer.name}")
    faults, num_killed = Counter[str](), 0
    for number in range(kills):
        shutil.rmtree(out)
        writer.begin(inputs, out)
        if number % 2:
            moment: dict[str, Any] = {"die_after_s": rng.uniform(0, plain.seconds)}
        else:
            moment = {"die_at_event": rng.randint(1, max(1, plain.events))}
        first = run_command(writer.words(inputs, out), work, **moment)
        num_killed += first.status == -9
        again = run_command(writer.words(inputs, out, again=first.status == -9), work)
        if again.status and writer.again:  # it had not begun: from the beginning
            again = run_command(writer.words(inputs, out), work)
        if fault := _fault(writer, again, expected, contents(out)):
            faults[fault] += 1
    shutil.rmtree(out)
    return row_of(writer, {"kills": kills, "killed": num_killed}, faults)


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


def format_row(row: Row) -> str:
    """Return a row as a line of text."""
    faults = "; ".join(row["faults"]) or "nothing wrong after the next run"
    return f"{row['command']}: {row['killed']} of {row['kills']} runs killed, {faults}"


_PROGRAM = WriterProgram(
    name="kill",
    about=__doc__,
    numbers={"kills": (100, "of each command"), "seed": (0, None)},
    measure=lambda writer, inputs, work, of: killed(writer, inputs, work, of["kills"], of["seed"]),
    describe=format_row,
)


if __name__ == "__main__":
    sys.exit(main())
