"""Names in folders: on the disk, replaced, linked to, and of one user alone."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

_NO_PRIVILEGE = 1314  # ERROR_PRIVILEGE_NOT_HELD
_IN_USE = (5, 32, 33)  # ERROR_ACCESS_DENIED, _SHARING_VIOLATION, _LOCK_VIOLATION
_PATIENCE_S, _POLL_S = 2.0, 0.05  # a virus scanner opens what is new


def sync_file(path: Path) -> None:
    """Wait until a file is on the disk; OSError where that cannot be."""
    with path.open("rb" if sys.platform != "win32" else "rb+") as file:  # which may be flushed
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that.

    Windows cannot: there NTFS keeps its names by a journal.
    """
    if sys.platform != "win32":
        with suppress(OSError):  # some file systems cannot
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def replace(source: Path, target: Path) -> None:
    """Rename a file or folder; a file that has the name is replaced.

    Windows refuses where a process has either open: it is tried again for 2 seconds.

    Args:
        source: what is renamed.
        target: its new name, on the same disk.

    Raises:
        OSError: that cannot be.
    """
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            os.replace(source, target)
        except OSError as error:
            if not is_in_use(error) or time.monotonic() > end:
                raise
        else:
            return
        time.sleep(_POLL_S)


def is_in_use(error: OSError) -> bool:
    """Return whether Windows refuses what may be for a file being open or mapped."""
    return getattr(error, "winerror", None) in _IN_USE


def make_link(target: Path, path: Path) -> None:
    """Make a symbolic link; on Windows, where few may do that, else a hard link to the file.

    Args:
        target: what is linked to.
        path: of the link.

    Raises:
        OSError: that cannot be.
    """
    try:
        path.symlink_to(target)
    except OSError as error:
        if getattr(error, "winerror", None) != _NO_PRIVILEGE:
            raise
        path.hardlink_to(target)


def user_key() -> str:
    """Return what names this user in a folder that is for all; on Windows $TMPDIR is each's own."""
    if sys.platform == "win32":
        return "own"
    return str(os.getuid())


def is_own(path: Path) -> bool:
    """Return whether what is at a path is of this user, as far as the system tells; no link is."""
    if path.is_symlink():
        return False
    return sys.platform == "win32" or path.stat().st_uid == os.getuid()
