"""Locks: one holder, with its name; released with its process, whatever its children do."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from reeltag.core.locks import lock_holder, try_lock
from tests.processes import program, run_program

PROGRAM = """
import os, sys
from pathlib import Path
from reeltag.core.locks import try_lock
with try_lock(Path(sys.argv[1])) as ours:
    if not os.fork():
        print("child", ours, flush=True)
        sys.stdin.read()  # until the test ends
    sys.stdin.read()
"""

CHECK = """os.wait()
    from reeltag.core.locks import lock_holder
    with try_lock(Path(sys.argv[1])) as second:
        print("still locked", bool(lock_holder(Path(sys.argv[1]))), second)
"""


def test_lock_has_one_holder_and_names_it(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / "x.lock"
    with try_lock(lock) as first, try_lock(lock) as second:
        assert first and not second
        assert f"process {os.getpid()} on {socket.gethostname()}, since 20" in lock_holder(lock)
    assert lock_holder(lock) == "" and not lock.exists()
    with try_lock(lock) as again:
        assert again


def test_lock_file_removed_in_between_is_locked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, real = tmp_path / "x.lock", fcntl.flock
    raced: list[Path] = []

    def flock(file: IO[str], how: int) -> None:
        if not raced:  # its owner ended between our opening and our locking it
            raced.append(lock)
            lock.unlink()
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with try_lock(lock) as first, try_lock(lock) as second:
        assert first and not second


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    command = [sys.executable, "-c", PROGRAM, str(lock)]
    pipe = subprocess.PIPE
    with program(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "child True\n"
        assert f"process {process.pid} on" in lock_holder(lock)
        process.kill()
        process.wait()
        assert lock.exists() and lock_holder(lock) == ""  # its forked worker is still alive
        with try_lock(lock) as ours:
            assert ours


def test_lock_survives_the_end_of_a_forked_child(tmp_path: Path) -> None:
    code = PROGRAM.replace("sys.stdin.read()  # until the test ends", "os._exit(0)")
    code = code.replace("sys.stdin.read()", CHECK)
    done = run_program([sys.executable, "-c", code, tmp_path / "x.lock"])
    assert done.stdout.splitlines() == ["child True", "still locked True False"]
