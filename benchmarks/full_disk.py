"""Run commands that write on disks of all sizes, from none to enough.

    python -m benchmarks.full_disk [NAME ...] [--steps N] [--save] [--json]

The disk is a tmpfs, which only root may mount; elsewhere it is said that nothing was run. A command
that has no room must say so, with the file and exit status 2, and leave nothing half-written; with
room enough it must do its work. Inputs and $TMPDIR are on another disk.
"""

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.results import RESULTS, Row
from benchmarks.writer_program import WriterProgram, row_of
from benchmarks.writers import RunEnd, Writer, contents, run_command
from reeltag.core.console import say

_PAGE = 4096


def main(arguments: list[str] | None = None, folder: Path = RESULTS) -> int:
    """Run the commands that are named; return 1 where one did not say what it should."""
    if can_mount():
        return _PROGRAM.run(arguments, folder)
    say("no disk can be mounted here: nothing was run")
    return 0


def can_mount() -> bool:
    """Return whether a tmpfs can be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder), _PAGE):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[None]:
    """Mount a tmpfs of some bytes, a multiple of 4096, for the length of the block.

    A tmpfs of none has no limit: that of a page is filled instead.
    """
    options = f"size={size or _PAGE},mode=700"
    command = ["mount", "-t", "tmpfs", "-o", options, "reeltag-full-disk", str(place)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        if not size:
            (place / "filled").write_bytes(bytes(_PAGE))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)


def filled(writer: Writer, inputs: Path, work: Path, steps: int) -> Row:
    """Return what a command does on disks of rising size, until it has done its work.

    Args:
        writer: the command.
        inputs: folder of what it reads.
        work: folder to work in, on a large disk.
        steps: sizes up to the one that is enough, about.
    """
    place, scratch = work / "disk", work / "scratch"
    for folder in (place, scratch):
        folder.mkdir(exist_ok=True)
    plain = work / "plain"
    shutil.rmtree(plain, ignore_errors=True)
    writer.begin(inputs, plain)
    whole = run_command(writer.words(inputs, plain), work, scratch=scratch)
    if whole.status:
        fault = f"ends with status {whole.status}: {whole.output[-300:]}"
        return row_of(writer, {"sizes": 0, "enough_bytes": 0}, {fault: 1})
    expected, held = set(contents(plain)), _pages(plain)
    begin = _least_pages(writer, inputs, place)
    step = max(1, (held - begin) // max(1, steps))
    faults, tried, pages = Counter[str](), 0, begin
    while True:
        with small_disk(place, pages * _PAGE):
            out = place / "out"
            writer.begin(inputs, out)
            before = set(contents(out))
            end = run_command(writer.words(inputs, out), work, scratch=scratch)
            tried += 1
            left = set(contents(out)) - before if out.exists() else set[str]()
        if not end.status and left >= expected - before - _varying(writer, expected):
            break
        if fault := _fault(writer, end, left):
            faults[fault] += 1
        if pages > 4 * held + 4096:
            faults["never has room enough"] += 1
            break
        pages += step
    shutil.rmtree(plain)
    return row_of(writer, {"sizes": tried, "enough_bytes": pages * _PAGE}, faults)


def _least_pages(writer: Writer, inputs: Path, place: Path) -> int:
    """Return the pages of the smallest disk that holds what the command changes."""
    pages = 0
    while True:
        with small_disk(place, pages * _PAGE):
            try:
                writer.begin(inputs, place / "out")
            except (OSError, shutil.Error):
                pages += 1
            else:
                return pages


def _varying(writer: Writer, names: set[str]) -> set[str]:
    return {name for name in names if writer.may_differ in name}


def _fault(writer: Writer, end: RunEnd, left: set[str]) -> str:
    """Return what is wrong where there was not enough room; "" where nothing is."""
    lines = [line for line in end.output.strip().splitlines() if line.strip()] or [""]
    if end.status is None:
        return "does not end"
    if end.status < 0:
        return f"dies of signal {-end.status}"
    if "should not happen" in end.output or "Traceback" in end.output:
        found = next((line for line in lines if "should not happen" in line), lines[-1])
        return f"not an error for people: {found[:160]}"
    if not end.status:
        return "ends well, without all of its files"
    if end.status != 2 or "cannot be" not in end.output:
        return f"ends with status {end.status}: {lines[-1][:160]}"
    left = {name for name in left if writer.goes_on_in not in name}
    if parts := sorted(name for name in left if "part" in name.rsplit(".", 1)[-1]):
        return f"leaves {parts[0][:60]}"
    return ""


def _pages(folder: Path) -> int:
    """Return the pages that a folder takes."""
    paths = [folder, *folder.rglob("*")]
    return sum(1 + -(-path.stat().st_size // _PAGE) for path in paths if path.exists())


def format_row(row: Row) -> str:
    """Return a row as a line of text."""
    faults = "; ".join(row["faults"]) or "nothing wrong"
    return f"{row['command']}: {row['sizes']} sizes up to {row['enough_bytes']:,} bytes, {faults}"


_PROGRAM = WriterProgram(
    name="full_disk",
    about=__doc__,
    numbers={"steps": (40, "sizes that are tried, about")},
    measure=lambda writer, inputs, work, of: filled(writer, inputs, work, of["steps"]),
    describe=format_row,
)


if __name__ == "__main__":
    sys.exit(main())
