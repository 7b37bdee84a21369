"""One process at a time on a step, whoever else works in the same folder."""

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
def attempted(path: Path) -> Iterator[bool]:
    """Yield whether this process has the lock `path` for the length of the block; never waits.

    The kernel takes the lock from a process that ends, however it ends; so a lock file that was
    left lying about holds nobody up. A file system without locks gives it to everyone who asks.

    Raises:
        OutputError: the file cannot be written.
    """
    file = _locked(path)
    try:
        yield file is not None
    finally:
        if file is not None:
            _HELD.discard(file)
            path.unlink(missing_ok=True)  # while it is ours: who waits on it looks again
            file.close()


def holder(path: Path) -> str:
    """Return which process has the lock `path`, in words; empty where nobody has it."""
    try:
        with path.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _told(file.read())
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
        if _is(file, path):
            break
        file.close()  # its last owner removed it between our two calls
    with suppress(OSError):  # a full disk: it is ours all the same
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}, file)
        file.flush()
    _HELD.add(file)
    return file


def _is(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _told(text: str) -> str:
    try:
        value = json.loads(text)
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(value["since"]))
        return f"process {value['pid']} on {value['host']}, since {since}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def _forget() -> None:
    """Let go, in a forked worker, of the locks of its parent: they end with the parent."""
    for file in _HELD:
        with suppress(OSError):
            os.close(file.fileno())
    _HELD.clear()


os.register_at_fork(after_in_child=_forget)
