"""Locks of the kernel on open files; a process that ends, however it ends, holds none."""

import os
import sys
import time

if sys.platform == "win32":
    import msvcrt

    _BYTE = 1 << 30  # far behind what is in a file, for a locked byte cannot be read
    _LOOKS = 5  # for there are no shared locks: who looks has it for a moment
    _POLL_S = 0.01
else:
    import fcntl


def lock_file(file: int, *, shared: bool = False, wait: bool = False) -> bool | None:
    """Lock an open file for this process alone, or with others that lock it so.

    Args:
        file: descriptor; another one of the same process is as one of another process.
        shared: with others; on Windows alone, like any other.
        wait: until it is free.

    Returns:
        Whether that was possible; None on a file system without locks.
    """
    if sys.platform == "win32":
        tries = _LOOKS if shared else 1
        while True:
            os.lseek(file, _BYTE, os.SEEK_SET)
            try:
                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            except PermissionError:
                tries -= not wait
            except OSError:
                return None
            else:
                return True
            if tries < 1:
                return False
            time.sleep(_POLL_S)
    else:
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(file, how if wait else how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True


def unlock_file(file: int) -> None:
    """Free an open file that this process has locked; OSError where it has not."""
    if sys.platform == "win32":
        os.lseek(file, _BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_UN)
