"""Logits of all classes over all steps: a .npy file, written and read piece by piece.

Nothing is mapped into memory: a disk that fills while it is written, and a file that is cut short
while a server reads it, are errors, where a map would end the process (SIGBUS).

Letters in shapes: C classes, N steps of all videos, S some of them.
"""

from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.system.open_files import write_at
from reeltag.data.records.file_bytes import FileBytes

Float16 = NDArray[np.float16]
_DTYPE = np.dtype("<f2")


class LogitFile:
    """Logits (C, N) in a file, read when they are asked for, by any number of threads.

    Args:
        path: of the file.

    Attributes:
        shape: (C, N).

    Raises:
        DataError: it cannot be read.
        OSError: likewise.
        ValueError: it holds something else.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            if npy.read_magic(file) != (1, 0):
                raise ValueError("it is of another version")
            shape, is_fortran, dtype = npy.read_array_header_1_0(file)
            self._start = file.tell()
        if len(shape) != 2 or is_fortran or dtype != _DTYPE:
            raise ValueError("it holds other numbers")
        self.shape: tuple[int, int] = shape
        self._path, self._bytes = path, FileBytes(path, ahead=0)
        self._changed_ns = self._bytes.status().st_ctime_ns
        if len(self._bytes) != self._start + shape[0] * shape[1] * _DTYPE.itemsize:
            raise ValueError("it is cut short")

    def of_class(self, index: int) -> Float16:
        """Return the logits (N,) of a class; DataError where the file has changed."""
        return self._read(index, 0, self.shape[1])

    def of_steps(self, first: int, stop: int) -> Float16:
        """Return the logits (C, S) of steps [first, stop); DataError where the file has changed."""
        logits = np.empty((self.shape[0], stop - first), np.float16)
        for index in range(len(logits)):
            logits[index] = self._read(index, first, stop)
        return logits

    def _read(self, index: int, first: int, stop: int) -> Float16:
        begin, end = (
            self._start + (index * self.shape[1] + step) * _DTYPE.itemsize for step in (first, stop)
        )
        read = self._bytes.read(begin, end)
        status = self._bytes.status()
        if status.st_nlink and status.st_ctime_ns != self._changed_ns:  # else it was replaced
            raise DataError(
                "has changed since it was opened",
                where=self._path,
                hint="Delete the folder: curves are computed again.",
            )
        return read.view(_DTYPE).astype(np.float16, copy=False)


class LogitWriter:
    """Writes logits (C, N) step by step.

    Args:
        path: of the file, which is made.
        shape: (C, N).

    Raises:
        OSError: it cannot be written, as in `write`.
    """

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self._shape, self._first = shape, 0
        self._file = path.open("wb", buffering=0)
        header = {"descr": _DTYPE.str, "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(self._file, header)
        self._start = self._file.tell()

    def write(self, logits: Float16) -> None:
        """Append the logits (C, S) of the next steps."""
        for index, row in enumerate(np.ascontiguousarray(logits, _DTYPE)):
            place = index * self._shape[1] + self._first
            left, at = memoryview(row).cast("B"), self._start + place * _DTYPE.itemsize
            while left:
                written = write_at(self._file.fileno(), left, at)
                left, at = left[written:], at + written
        self._first += logits.shape[1]

    def close(self) -> None:
        """Close the file."""
        self._file.close()
