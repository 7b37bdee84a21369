"""Locks: one process at a time on a result, and each other one is told which.

A lock is one of the kernel (`core.system.file_locks`) on a file that names its holder. The kernel
frees it when that process ends, however it ends: a lock file that was left behind blocks no
process, and the next holder removes it. A forked process closes the locks of its parent; a program
that is started has none of them; two threads of a process lock each other out as two processes do.

Over NFS a lock holds on all machines that mount the folder (Linux makes it one of the server). On
a file system without locks each process gets it. A result is whole there too, for no process writes
to the files of another one; of two that work on one result, the last one stays.
"""

import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reeltag.core.console import say
from reeltag.core.errors import OutputError
from reeltag.core.system.file_locks import lock_file, unlock_file
from reeltag.core.system.open_files import OPEN_FILES_MOVE, open_file, read_at, write_at
from reeltag.core.system.processes import at_fork
from reeltag.core.writing import make_folder, writing

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_FLAGS = os.O_RDWR | os.O_CREAT
_MOST_BYTES = 4096  # of what is read of a holder


class Lock:
    """A lock that this process holds.

    Args:
        path: of its file.
        file: open file descriptor, which is locked.
    """

    def __init__(self, path: Path, file: "Descriptor") -> None:
        self._path, self._file = path, file

    def note(self, words: str = "") -> None:
        """Write who holds it into its file, and what else is to be known, such as an address."""
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]]) if sys.argv else ""
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.time(),
            "command": command[:100],
            "note": words,
        }
        with suppress(OSError):  # a full disk: the lock is held all the same
            size = write_at(self._file.number, json.dumps(holder).encode(), 0)
            os.ftruncate(self._file.number, size)

    def release(self) -> None:
        """Remove its file and unlock it; in a forked process it does nothing."""
        if self._file.is_open:
            with suppress(OSError):
                if OPEN_FILES_MOVE and is_same_file(self._file.number, self._path):
                    self._path.unlink()  # while it is ours: a waiting process opens it again
            self._file.close()
            if not OPEN_FILES_MOVE:
                with suppress(OSError):  # a waiting process has it open
                    self._path.unlink()


@contextmanager
def hold(
    path: Path, of: object, *, hint: str = "Wait for it, or choose another place."
) -> Iterator[Lock]:
    """Hold the lock `path` for the length of the block.

    Args:
        path: of the lock file.
        of: what is locked, for the error.
        hint: what to do where another process holds it.

    Raises:
        OutputError: another process holds it, which is named; or the file cannot be written.
    """
    try:
        lock = _acquire(path)
    except OutputError as error:
        raise OutputError(error.what, where=of, hint=error.hint) from error
    if lock is None:
        holder = lock_holder(path) or "another process"
        raise OutputError(f"is in use by {holder}", where=of, hint=hint)
    try:
        yield lock
    finally:
        lock.release()


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Yield whether this process has the lock `path` for the length of the block; never waits.

    Raises OutputError if the file cannot be written.
    """
    lock = _acquire(path)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()


@contextmanager
def wait_for_lock(path: Path, of: object) -> Iterator[None]:
    """Hold the lock `path` for the length of the block; wait for it where another process has it.

    Args:
        path: of the lock file.
        of: what is locked, for the words on what is waited for.

    Raises:
        OutputError: the file cannot be written.
    """
    lock = _acquire(path)
    if lock is None:
        say(f"{of} is in use by {lock_holder(path) or 'another process'}: waiting for it")
        lock = _acquire(path, wait=True)
    assert lock is not None
    try:
        yield
    finally:
        lock.release()


def lock_holder(path: Path) -> str:
    """Return which process has the lock `path`, in words; "" for none."""
    try:
        file = Descriptor(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        if lock_file(file.number, shared=True) is not False:
            return ""
        return _format_holder(read_at(file.number, _MOST_BYTES, 0))
    finally:
        file.close()


class Descriptor:
    """An open file that is not inherited by forked processes; a link in its place is an error.

    Args:
        path: of the file.
        flags: of `os.open`.
    """

    def __init__(self, path: Path, flags: int) -> None:
        with _FORKING:
            self.number = open_file(path, flags, follow=False)
            _OPEN.add(self)

    @property
    def is_open(self) -> bool:
        """Whether it is open in this process."""
        return self in _OPEN

    def lock(self, *, wait: bool = False) -> bool | None:
        """Lock it for this process alone.

        Args:
            wait: until no other process has it.

        Returns:
            Whether that was possible; None on a file system without locks.
        """
        while True:
            got = lock_file(self.number, wait=wait)
            if got is not False:
                return got
            if lock_file(self.number, shared=True) is False:
                return False
            unlock_file(self.number)  # somebody only looked who holds it: once more

    def close(self) -> None:
        """Close it, and so unlock it."""
        with _FORKING:
            if self in _OPEN:
                _OPEN.remove(self)
                os.close(self.number)


def is_same_file(file: int, path: Path) -> bool:
    """Return whether an open file still has the name `path`."""
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except OSError:
        return False


_OPEN: set[Descriptor] = set()
_FORKING = threading.RLock()  # nothing is opened while the process is forked


def _acquire(path: Path, *, wait: bool = False) -> Lock | None:
    """Return the lock, or None where another process holds it."""
    make_folder(path.parent)
    while True:
        with writing(path):
            file = Descriptor(path, _FLAGS)
        try:
            if file.lock(wait=wait) is False:
                file.close()
                return None
        except BaseException:  # Ctrl-C while it waits
            file.close()
            raise
        if is_same_file(file.number, path):
            break
        file.close()  # its last holder removed it between our two calls
    lock = Lock(path, file)
    lock.note()
    return lock


def _format_holder(stored: bytes) -> str:
    try:
        value = json.loads(stored)
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(value["since"]))
        words = f"process {int(value['pid'])} on {value['host']}, since {since}"
        words += f" ({value['command']})" if value.get("command") else ""
        words += f", {value['note']}" if value.get("note") else ""
    except (ValueError, KeyError, TypeError, OverflowError):
        return "another process"
    return _UNPRINTABLE.sub("?", words)


def _close_inherited() -> None:
    """Close, in a forked process, the locks of its parent: they end with the parent."""
    for file in _OPEN:
        with suppress(OSError):
            os.close(file.number)
    _OPEN.clear()
    _FORKING.release()


at_fork(_FORKING.acquire, _FORKING.release, _close_inherited)
