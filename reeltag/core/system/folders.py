"""Names in folders: on the disk, replaced, linked to, and of one user alone."""

import getpass
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
    """Return what names the user within a file name: a number, or on Windows the name."""
    if sys.platform == "win32":
        return "".join(of if of.isalnum() else "_" for of in getpass.getuser())
    return str(os.getuid())


def is_own(path: Path) -> bool:
    """Return whether a file or folder, and no link to it, is of this user.

    On Windows $TMPDIR is each user's own, and no owner is asked for.
    """
    if sys.platform == "win32":
        return not path.is_symlink()
    return not path.is_symlink() and path.stat().st_uid == os.getuid()
