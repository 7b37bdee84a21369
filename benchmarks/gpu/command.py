"""`python -m benchmarks gpu`: all figures of one GPU in less than 8 minutes, into results/gpu.json.

    python -m benchmarks gpu [PART ...] [--minutes 8] [--resume] [--json]
    python -m benchmarks gpu --device cpu --quick      does it run at all? nothing is written

Figures are written as soon as they are measured. What does not fit into the minutes is named, and
--resume measures what is missing at this commit on such a machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from benchmarks.environment import code_commit, environment, machine
from benchmarks.figure import figure
from benchmarks.gpu.feeding import feeding, random_videos
from benchmarks.gpu.inference import encoders, scoring
from benchmarks.gpu.steps import measure_steps, rates, step_names, tasks
from benchmarks.results import PROJECT, RESULTS, Row, read_rows, write_rows
from reeltag.core.console import say
from reeltag.core.devices import torch_device
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset

FILE, PROBLEMS = "gpu", "problems"  # results/gpu.json, and its list of what could not be measured
KEY = ("name", "unit", "machine")
VIDEOS = 2048  # 0.7 GB
WORKERS = 12  # processes that compile
_TEST_SECONDS = 180.0


@dataclass
class Session:
    """One run of the command.

    Attributes:
        device: that is measured.
        quick: small sizes: does it run at all? Nothing is written then.
        deadline: when what is left is given up, on the monotonic clock.
        known: names of figures, and parts, that are not measured again.
        folder: of results.
        rows: figures so far.
        problems: what could not be measured, and why.
    """

    device: torch.device
    quick: bool
    deadline: float
    known: frozenset[str] = frozenset()
    folder: Path = RESULTS
    rows: list[Row] = field(default_factory=list)
    problems: list[Row] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def data(self) -> Dataset:
        """Random videos, written once."""
        return self.stack.enter_context(random_videos(*((12, 60) if self.quick else (VIDEOS, 300))))

    def take(self, row: Row) -> None:
        """Keep a row, and write it unless it is a quick one."""
        row = {key: value for key, value in row.items() if not (self.quick and key in _VERDICTS)}
        part = PROBLEMS if "error" in row else "rows"
        (self.problems if "error" in row else self.rows).append(row)
        shown = row.get("error") or f"{row['value']:,.4g} {row['unit']}"
        say(f"{row['name']}: {shown}")
        if not self.quick:
            measured = environment("python -m benchmarks gpu")
            marked = {**row, "machine": machine()}
            write_rows(FILE, [marked], key=KEY, measured=measured, part=part, folder=self.folder)


_VERDICTS = ("target", "met")


def products(session: Session) -> Iterator[Row]:
    """Yield the rates of matrix products."""
    yield from rates(session.device, quick=session.quick)


def fed(session: Session) -> Iterator[Row]:
    """Yield the speeds of training from memory and from files."""
    yield from feeding(session.device, session.data, quick=session.quick)


def scored(session: Session) -> Iterator[Row]:
    """Yield the speeds of predictions and soft labels."""
    yield from scoring(session.device, session.data, quick=session.quick)


def encoded(session: Session) -> Iterator[Row]:
    """Yield the speeds of encoders."""
    yield from encoders(session.device, quick=session.quick)


def tested(session: Session) -> Iterator[Row]:
    """Yield how many of the tests marked gpu fail."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-n", "0", "tests"]
        subprocess.run(
            [*command, f"--junitxml={report}"],
            cwd=PROJECT,
            stdout=sys.stderr,
            check=False,
            timeout=max(1.0, min(_TEST_SECONDS, session.deadline - time.monotonic())),
        )
        yield test_row(report)


def test_row(report: Path) -> Row:
    """Return the figure of a report of pytest: how many tests failed, and which."""
    suite = ET.parse(report).getroot().find("testsuite")
    assert suite is not None
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = counts["failures"] + counts["errors"]
    names = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in suite.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]
    passed = counts["tests"] - failed - counts["skipped"]
    details = {"passed": passed, "skipped": counts["skipped"], "failed": names}
    return figure("tests marked gpu that fail", failed, "tests", "<= 0", details)


def stepped(session: Session) -> Iterator[Row]:
    """Yield the speeds of steps, and of compiled ones, until the time is up."""
    plain = {row["name"].split()[-1]: row["value"] * 1e12 for row in rates_of(session)}
    wanted = tasks(str(session.device), session.known, quick=session.quick)
    workers = min(WORKERS, max(1, (os.cpu_count() or 2) - 2), max(1, len(wanted)))
    yield from measure_steps(wanted, plain, workers=workers, deadline=session.deadline)


def rates_of(session: Session) -> list[Row]:
    """Return the rates of matrix products that were measured, or measure them."""
    known = [row for row in session.rows if row["name"].startswith("matrix product")]
    return known or rates(session.device, quick=session.quick)


PARTS: dict[str, Callable[[Session], Iterator[Row]]] = {
    "products": products,
    "feeding": fed,
    "scoring": scored,
    "encoders": encoded,
    "tests": tested,
    "steps": stepped,
}


def main(arguments: Sequence[str] | None = None, folder: Path = RESULTS) -> int:
    """Run the parts that are named, or all; return 1 where something is missing or too slow."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    try:
        device = torch_device(options.device)
    except ConfigError as error:
        say(f"error: {error}\n  --device cpu --quick tries whether everything runs")
        return 2
    if device.type != "cuda" and not options.quick:
        say("error: figures of a GPU are measured on one; --device cpu needs --quick")
        return 2
    known = _known(folder) if options.resume else frozenset()
    deadline = time.monotonic() + 60 * options.minutes
    session = Session(device, options.quick, deadline, known, folder)
    with session.stack:
        late = run_parts(session, options.parts or [*PARTS])
    if options.json:
        print(json.dumps(session.rows, indent=2))
    missed = [row["name"] for row in session.rows if row.get("met") is False]
    for what, names in (("out of time", late), ("targets missed", missed)):
        if names:
            say(f"{what}: {', '.join(names)}")
    return int(bool(late or missed or session.problems))


def run_parts(session: Session, names: Sequence[str]) -> list[str]:
    """Run parts one after the other; return what the time was not enough for."""
    late = list[str]()
    for name in names:
        if time.monotonic() >= session.deadline:
            late.append(name)
            continue
        say(f"{name} ...")
        try:
            if name == "steps" or name not in session.known:
                for row in PARTS[name](session):
                    session.take({**row, "part": name})
        except (RuntimeError, subprocess.TimeoutExpired) as error:  # the others are still measured
            session.take(
                {"name": name, "part": name, "error": f"{type(error).__name__}: {error}"[:300]}
            )
        if name == "steps":
            late += _steps_left(session)
    return late


def _steps_left(session: Session) -> list[str]:
    """Return which steps have neither a figure nor a problem."""
    names = {row["name"] for row in [*session.rows, *session.problems]} | session.known
    return [name for name, variant in step_names() if not {name, variant} & names]


def _known(folder: Path) -> frozenset[str]:
    """Return the names of figures of this machine at this commit, and of their parts."""
    commit, here = code_commit(), machine()
    rows = read_rows(FILE, folder=folder)
    mine = [r for r in rows if r["machine"] == here and r["measured"]["commit"] == commit]
    return frozenset(name for row in mine for name in (row["name"], row["part"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1; cpu with --quick")
    parser.add_argument("--minutes", type=float, default=8.0, help="that all of it may take")
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing is written")
    parser.add_argument("--resume", action="store_true", help="measure what is missing")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    return parser
