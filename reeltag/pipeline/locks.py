"""Locks: one process at a time on a step, of all that work in the same folder."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from reeltag.core.files import make_folder, not_written

_HELD: set[IO[str]] = set()


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Yield whether this process has the lock `path` for the length of the block; never waits.

    The kernel releases the lock when a process ends, however it ends; a lock file that was left
    behind blocks no one. On a file system without locks every process gets it.

    Raises OutputError if the file cannot be written.
    """
    file = _locked(path)
    try:
        yield file is not None
    finally:
        if file is not None:
            _HELD.discard(file)
            path.unlink(missing_ok=True)  # while it is ours: a waiting process opens it again
            file.close()


def lock_holder(path: Path) -> str:
    """Return which process has the lock `path`, in words; "" for none."""
    try:
        with path.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _format_holder(file.read())
            except OSError:
                return ""
    except FileNotFoundError:
        pass
    return ""


def _locked(path: Path) -> IO[str] | None:
    make_folder(path.parent)
    while True:
        try:
            file = path.open("a+")
        except OSError as error:
            raise not_written(path, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError:
            pass
        if _is_same(file, path):
            break
        file.close()  # its last holder removed it between our two calls
    with suppress(OSError):  # a full disk: the lock is held all the same
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}, file)
        file.flush()
    _HELD.add(file)
    return file


def _is_same(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _format_holder(text: str) -> str:
    try:
        value = json.loads(text)
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(value["since"]))
        return f"process {value['pid']} on {value['host']}, since {since}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def _close_inherited() -> None:
    """Close, in a forked process, the locks of its parent: they end with the parent."""
    for file in _HELD:
        with suppress(OSError):
            os.close(file.fileno())
    _HELD.clear()


os.register_at_fork(after_in_child=_close_inherited)
