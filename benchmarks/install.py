"""What `pip install reeltag` costs: bytes on the disk, and seconds until it answers.

    python -m benchmarks.install [--runs N] [--save] [--json]

The last commit is installed into a fresh virtual environment, without extras. Programs are timed
there in turns, the next run of each after one of all others; a figure is the least of its runs,
for other work on the machine only adds to it.
What an extra adds is summed up from the packages of this environment; one that is not installed
here has no figure.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.figure import figure
from benchmarks.packages import FOR_DEVELOPERS, distributions, installed_bytes, missing
from benchmarks.results import PROJECT, RESULTS, Row, write_rows
from reeltag.core.console import say

COMMAND = "python -m benchmarks.install --save"
RUNS = 21
TARGET_S = 0.3
PROGRAMS = {
    "python -c pass": ("-c", "pass"),
    "import reeltag": ("-c", "import reeltag"),
    "reeltag --help": ("-m", "reeltag", "--help"),
    "reeltag --version": ("-m", "reeltag", "--version"),
    "reeltag train --help": ("-m", "reeltag", "train", "--help"),
    "import torch": ("-c", "import torch"),
    "reeltag.Dataset": ("-c", "import reeltag; reeltag.Dataset"),
    "reeltag.train": ("-c", "import reeltag; reeltag.train"),
}
_WITH_TARGET = ("import reeltag", "reeltag --help")
_LARGEST = 6  # packages of the base that have a row


def main(arguments: Sequence[str] | None = None, folder: Path = RESULTS) -> int:
    """Measure, print, and with --save write; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.install", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--runs", type=int, default=RUNS, help="of each program")
    parser.add_argument("--save", action="store_true", help="write results/install.json")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        python = installed(place)
        parts = {"sizes": sizes(place / "venv"), "times": times(python, options.runs)}
    parts["extras"] = extras()
    if options.save:
        measured = environment(f"{COMMAND} --runs {options.runs}")
        for part, rows in parts.items():
            write_rows("install", rows, key=("name",), measured=measured, part=part, folder=folder)
    for row in [row for rows in parts.values() for row in rows]:
        print(json.dumps(row) if options.json else f"{row['name']:28} {row['value']} {row['unit']}")
    return int(any(row.get("met") is False for row in parts["times"]))


def installed(place: Path) -> Path:
    """Install the last commit into a fresh environment, and return its Python.

    Args:
        place: folder for the environment, `venv`, and the sources.
    """
    source, venv = place / "source", place / "venv"
    source.mkdir()
    packed = subprocess.run(
        ["git", "archive", "HEAD"], cwd=PROJECT, capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", str(source)], input=packed.stdout, check=True)
    say("pip install reeltag, in a fresh environment ...")
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "-c", str(PROJECT / "constraints.txt")]
    subprocess.run([*install, "torch"], check=True)
    subprocess.run([*install, str(source)], check=True)
    shutil.rmtree(source)  # nothing is found there
    return python


def sizes(venv: Path) -> list[Row]:
    """Return the bytes of an environment: of all, without torch, and of the largest packages.

    Args:
        venv: its folder; pip itself is not counted, nor bytecode.
    """
    (site,) = venv.glob("lib/*/site-packages")
    folders = {
        path.name: _bytes(path) for path in site.iterdir() if not path.name.startswith("pip")
    }
    total, torch = sum(folders.values()), folders["torch"]
    rows = [
        _megabytes("all", total, packages=len(list(site.glob("*.dist-info"))) - 1),
        _megabytes("all but torch", total - torch),
        _megabytes("reeltag itself", folders["reeltag"]),
    ]
    largest = sorted(folders, key=lambda name: folders[name], reverse=True)[:_LARGEST]
    return rows + [_megabytes(f"`{name}`", folders[name]) for name in largest]


def times(python: Path, runs: int) -> list[Row]:
    """Return the median seconds of each program, and its ratio to Python alone.

    Args:
        python: of the environment.
        runs: of each program.
    """
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for words in PROGRAMS.values():  # bytecode is written, files are read
        _seconds(python, words)
    for _ in range(runs):
        for name, words in PROGRAMS.items():
            seconds[name].append(_seconds(python, words))
    alone = statistics.median(seconds["python -c pass"])
    rows = []
    for name, found in seconds.items():
        median = statistics.median(found)
        details = {"ratio": round(median / alone, 2), "least": round(min(found), 3), "runs": runs}
        target = f"<= {TARGET_S}" if name in _WITH_TARGET else None
        rows.append(figure(f"`{name}`", round(median, 3), "s", target, details))
    return rows


def extras() -> list[Row]:
    """Return what each extra adds to the base: bytes and packages; none that is not here."""
    with (PROJECT / "pyproject.toml").open("rb") as file:
        offered = tomllib.load(file)["project"]["optional-dependencies"]
    base, rows = distributions(), []
    for extra in sorted(offered.keys() - FOR_DEVELOPERS):
        if not missing(extra):
            added = distributions([extra]) - base
            rows.append(_megabytes(f"`{extra}`", installed_bytes(added), packages=len(added)))
    return rows


def _megabytes(name: str, size: int, **details: int) -> Row:
    return figure(name, round(size / 1e6, 1), "MB", details=details or None)


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(of.stat().st_size for of in files if of.is_file() and of.suffix != ".pyc")


def _seconds(python: Path, words: Sequence[str]) -> float:
    began = time.perf_counter()
    command = [str(python), "-I", *words]
    subprocess.run(command, cwd=python.parent, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
