"""Files opened by descriptor: bytes as they are, not inherited, and read at a position."""

import errno
import os
import sys
import threading
from pathlib import Path
from typing import TypeAlias

Writable: TypeAlias = memoryview | bytearray

if sys.platform == "win32":
    _ALWAYS, _NO_LINK = os.O_BINARY | os.O_NOINHERIT, 0
    _MOVING = threading.Lock()  # a position is of the descriptor, which threads may share
else:
    _ALWAYS, _NO_LINK = os.O_CLOEXEC, os.O_NOFOLLOW

OPEN_FILES_MOVE = sys.platform != "win32"  # an open or mapped file may be renamed and removed
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)  # where a folder can be opened
_MOST_OPEN = 1024


def open_file(path: Path, flags: int = os.O_RDONLY, *, follow: bool = True) -> int:
    """Return a descriptor of a file, which programs that are started do not inherit.

    Args:
        path: of the file.
        flags: of `os.open`.
        follow: if not, a link is an error; for paths that others may have made.

    Raises:
        OSError: it cannot be opened.
    """
    if not follow and not _NO_LINK and path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return os.open(path, flags | _ALWAYS | (0 if follow else _NO_LINK), 0o666)


def read_at(file: int, size: int, offset: int) -> bytes:
    """Return at most `size` bytes from `offset` on; fewer at the end of the file.

    Args:
        file: descriptor, which threads may share.
        size: in bytes.
        offset: in bytes from the start of the file.

    Raises:
        OSError: they cannot be read.
    """
    if sys.platform == "win32":
        with _MOVING:
            os.lseek(file, offset, os.SEEK_SET)
            return os.read(file, size)
    else:
        return os.pread(file, size, offset)


def read_into(file: int, buffer: Writable, offset: int) -> int:
    """Fill a buffer from `offset` on, as far as there are bytes; return their number.

    Args:
        file: descriptor, which threads may share.
        buffer: of bytes.
        offset: in bytes from the start of the file.

    Raises:
        OSError: they cannot be read.
    """
    if sys.platform == "win32":
        read = read_at(file, len(buffer), offset)
        buffer[: len(read)] = read
        return len(read)
    return os.preadv(file, (buffer,), offset)


def write_at(file: int, data: bytes | memoryview, offset: int) -> int:
    """Write from `offset` on, and return how many bytes were taken.

    Args:
        file: descriptor, which threads may share.
        data: bytes.
        offset: in bytes from the start of the file.

    Raises:
        OSError: they cannot be written.
    """
    if sys.platform == "win32":
        with _MOVING:
            os.lseek(file, offset, os.SEEK_SET)
            return os.write(file, data)
    else:
        return os.pwrite(file, data, offset)


def most_open_files() -> int:
    """Return how many files of data may be kept open: 1024, or a quarter of what is allowed."""
    if sys.platform == "win32":
        return _MOST_OPEN  # of the 8192 of the C library
    import resource

    allowed: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST_OPEN if allowed < 0 else max(1, min(_MOST_OPEN, allowed // 4))
