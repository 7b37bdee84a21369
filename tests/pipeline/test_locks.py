"""Locks: one owner, told by name; gone with its process, whatever its children do."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from reeltag.pipeline.locks import attempted, holder

PROGRAM = """
import os, sys
from pathlib import Path
from reeltag.pipeline.locks import attempted
with attempted(Path(sys.argv[1])) as ours:
    if not os.fork():
        print("child", ours, flush=True)
        sys.stdin.read()  # until the test is over
    sys.stdin.read()
"""

CHECK = """os.wait()
    from reeltag.pipeline.locks import holder
    with attempted(Path(sys.argv[1])) as second:
        print("still locked", bool(holder(Path(sys.argv[1]))), second)
"""


def test_one_has_it_and_others_are_told_who(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / "x.lock"
    with attempted(lock) as first, attempted(lock) as second:
        assert first and not second
        assert f"process {os.getpid()} on {socket.gethostname()}, since 20" in holder(lock)
    assert holder(lock) == "" and not lock.exists()
    with attempted(lock) as again:
        assert again


def test_a_lock_file_removed_while_it_is_taken_is_taken_anew(
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
    with attempted(lock) as first, attempted(lock) as second:
        assert first and not second


def test_a_lock_left_by_a_killed_process_holds_nobody_up(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    command = [sys.executable, "-c", PROGRAM, str(lock)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "child True\n"
        assert f"process {process.pid} on" in holder(lock)
        process.kill()
        process.wait()
        assert lock.exists() and holder(lock) == ""  # its forked worker is still alive
        with attempted(lock) as ours:
            assert ours


def test_a_worker_that_ends_does_not_take_the_lock_away(tmp_path: Path) -> None:
    program = PROGRAM.replace("sys.stdin.read()  # until the test is over", "os._exit(0)")
    program = program.replace("sys.stdin.read()", CHECK)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.lock")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["child True", "still locked True False"]
