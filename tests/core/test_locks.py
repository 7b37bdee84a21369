"""Locks: one holder, with its name; released with its process, whatever its children do."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue
from typing import IO

import pytest

from reeltag.core import locks
from reeltag.core.errors import OutputError
from reeltag.core.locks import hold, lock_holder, try_lock, wait_for_lock
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


def test_lock_is_waited_for_and_its_holder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, words, order = tmp_path / "lock", Queue[str](), list[str]()
    monkeypatch.setattr(locks, "say", words.put)

    def wait() -> None:
        with wait_for_lock(lock, "the index"):
            order.append("second")

    second = threading.Thread(target=wait)
    with try_lock(lock) as ours:
        assert ours
        second.start()
        said = words.get(timeout=60)
        assert said.startswith(f"the index is in use by process {os.getpid()} on ")
        order.append("first")
    second.join()
    assert order == ["first", "second"] and not lock.exists()


def test_looking_who_holds_a_lock_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, real, looks = tmp_path / "x.lock", fcntl.flock, list[IO[str]]()
    lock.touch()

    def flock(file: int, how: int) -> None:
        if not looks:  # another process looks while we try
            looks.append(lock.open())
            real(looks[0], fcntl.LOCK_SH)
        elif how & fcntl.LOCK_UN:
            looks[0].close()
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with try_lock(lock) as ours:
        assert ours and looks[0].closed


def test_holder_is_shown_without_control_characters(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with try_lock(lock):
        stored = json.loads(lock.read_text()) | {"host": "\x1b[31mbox", "note": "at http://x"}
        lock.write_text(json.dumps(stored))
        assert "on ?[31mbox, since 20" in lock_holder(lock)
        assert lock_holder(lock).endswith("), at http://x")
        lock.write_text("[1]")
        assert lock_holder(lock) == "another process"


def test_link_in_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match="out: cannot be written"), hold(tmp_path / "lock", "out"):
        pass
    assert (tmp_path / "precious").read_text() == "precious"


def test_lock_survives_the_end_of_a_forked_child(tmp_path: Path) -> None:
    code = PROGRAM.replace("sys.stdin.read()  # until the test ends", "os._exit(0)")
    code = code.replace("sys.stdin.read()", CHECK)
    done = run_program([sys.executable, "-c", code, tmp_path / "x.lock"])
    assert done.stdout.splitlines() == ["child True", "still locked True False"]


def test_lock_is_not_kept_by_a_child_that_was_forked_while_somebody_looked(tmp_path: Path) -> None:
    """The child lives until the parent has tried: it closes what it was not meant to have."""
    code = """
import fcntl, os, sys
from pathlib import Path
from reeltag.core import locks
path, lock, (begun, begin), (over, end) = Path(sys.argv[1]), locks.lock_file, os.pipe(), os.pipe()
def forking(file, **options):
    got = lock(file, **options)
    if not os.fork():
        os.close(end)
        os.write(begin, b".")
        os.read(over, 1)
        os._exit(0)
    os.read(begun, 1)
    return got
path.touch()
locks.lock_file = forking
assert locks.lock_holder(path) == ""
with path.open() as file:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("free")
"""
    done = run_program([sys.executable, "-c", code, tmp_path / "x.lock"])
    assert done.stdout.splitlines() == ["free"], done.stderr
