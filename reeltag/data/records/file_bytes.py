"""The bytes of a file by position, read piece by piece.

Nothing is mapped into memory: what is read stays flat, and a file that is cut short meanwhile is
an error like any other, where a mapped one would end the program (SIGBUS).
"""

import os
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.system.open_files import open_file, read_at

_AHEAD = 4 << 20  # bytes read at a time by a reader that goes forwards


class ByteRanges(ABC):
    """Bytes somewhere else, sliced like an array and read when they are asked for.

    Slices are for one thread.

    Args:
        size: number of bytes.
        ahead: bytes read at a time, for readers that go forwards; 0: only what is asked for.
    """

    def __init__(self, size: int, ahead: int) -> None:
        self._size, self._ahead = size, ahead
        self._begin, self._piece = 0, np.frombuffer(b"", np.uint8)

    def __len__(self) -> int:
        """Return the number of bytes when they were opened."""
        return self._size

    def __getitem__(self, place: slice) -> NDArray[np.uint8]:
        """Return the bytes [start, stop) as a read-only array, which stays good.

        Args:
            place: [start, stop) in the file.

        Raises:
            DataError: they cannot be read, or are not there any more.
        """
        begin, end, _ = place.indices(self._size)
        if begin >= end:
            return np.frombuffer(b"", np.uint8)
        if not self._begin <= begin <= end <= self._begin + len(self._piece):
            self._begin, self._piece = begin, self.read(begin, end, ahead=self._ahead)
        return self._piece[begin - self._begin : end - self._begin]

    @abstractmethod
    def read(self, begin: int, end: int, *, ahead: int = 0) -> NDArray[np.uint8]:
        """Return the bytes from `begin` to `end` or beyond, as a read-only array.

        Args:
            begin: of the first byte.
            end: behind the last one.
            ahead: bytes that are read at least, as far as there are any.

        Raises:
            DataError: they cannot be read, or are not there any more.
        """


class FileBytes(ByteRanges):
    """The bytes of a file. `read` is for any number of threads; it is closed with the object.

    Args:
        path: of the file.
        ahead: bytes read at a time, for readers that go forwards; 0: only what is asked for.
        opened: descriptor of the file, which becomes this object's; None: it is opened.

    Raises:
        DataError: the file cannot be opened.

    Example:
        >>> FileBytes(tmp / "a.tfrecord")[:12].tobytes()  # doctest: +SKIP
    """

    def __init__(self, path: Path, *, ahead: int = _AHEAD, opened: int | None = None) -> None:
        self.path = path
        try:
            self._file = open_file(path) if opened is None else opened
        except OSError as error:
            raise _unreadable(path, error) from error
        weakref.finalize(self, os.close, self._file)
        super().__init__(os.fstat(self._file).st_size, ahead)

    def status(self) -> os.stat_result:
        """Return what the system says of the open file, whatever has its name by now."""
        return os.fstat(self._file)

    def read(self, begin: int, end: int, *, ahead: int = 0) -> NDArray[np.uint8]:
        """Return the bytes from `begin` to `end` or beyond; see `ByteRanges.read`."""
        wanted = max(end - begin, min(ahead, self._size - begin))
        try:
            read = read_at(self._file, wanted, begin)
            while len(read) < end - begin and (more := self._more(wanted, begin, read)):
                read += more  # a single call gives 2 GiB at most
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(read) < end - begin:
            raise DataError(
                f"ends at byte {begin + len(read):,}, but had {self._size:,} bytes when it was "
                "opened",
                where=self.path,
                hint="Another program cuts or writes it: wait until that is done.",
            )
        return np.frombuffer(read, np.uint8)

    def _more(self, wanted: int, begin: int, read: bytes) -> bytes:
        return read_at(self._file, wanted - len(read), begin + len(read))


class OpenedApart(Protocol):
    """A source of bytes that is no file of this machine."""

    def open(self, ahead: int) -> ByteRanges:
        """Return its bytes, of which `ahead` are read at a time; DataError where that fails."""


ByteSource: TypeAlias = Path | OpenedApart


def open_bytes(source: ByteSource, *, ahead: int = _AHEAD) -> ByteRanges:
    """Return the bytes of a file, or of what is read in another way.

    Args:
        source: path of the file, or what opens itself.
        ahead: bytes read at a time.

    Raises:
        DataError: it cannot be opened.
    """
    return FileBytes(source, ahead=ahead) if isinstance(source, Path) else source.open(ahead)


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot be read ({error.strerror or error})",
        where=path,
        hint="Check that the file is there and that you may read it.",
    )
