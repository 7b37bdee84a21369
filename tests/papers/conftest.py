"""Tiny runs of whole programs, each run once for all tests of a session."""

import fcntl
import io
import os
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from reeltag.cli.main import run

TinyRun = Callable[[str], tuple[Path, str]]


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Return a function of the name of a program: WORK of a tiny run, and what it printed.

    `pytest -n` has several processes: the first that needs a run starts it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def run_once(name: str) -> tuple[Path, str]:
        work, printed = shared / f"tiny-{name}", shared / f"tiny-{name}.json"
        with (shared / f"tiny-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not printed.exists():
                with redirect_stdout(io.StringIO()) as stdout:
                    assert run(["solve", name, "--tiny", "--out", str(work), "--json"]) == 0
                printed.write_text(stdout.getvalue())
        return work, printed.read_text()

    return run_once
