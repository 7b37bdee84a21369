"""NumPy's files: .npy with one array, .npz with several. Pickled objects are never loaded."""

import math
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import numpy as np

from reeltag.core.arrays import NOT_ARRAYS
from reeltag.core.errors import DataError, reason_of
from reeltag.data.importing.sources import Content, FoundArray, FoundOther, Key

_HINT = "Save it again with numpy.save or numpy.savez, as an array of float32 or float16."


class Npy:
    """Files of one array (T, D) or (D,)."""

    suffixes = (".npy",)

    def find(self, path: Path) -> Iterator[FoundArray]:
        """Yield the array; only its header is read."""
        try:
            with path.open("rb") as file:
                yield _found(file, (), None)
        except NOT_ARRAYS as error:
            raise unreadable(path, error) from error

    def open(self, path: Path) -> AbstractContextManager["NpyReader"]:
        """Return a reader."""
        return nullcontext(NpyReader(path))


class NpyReader:
    """Reads the array of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, key: Key) -> Content:
        """Return the array."""
        try:
            return Content({"": np.load(self._path, allow_pickle=False)})
        except NOT_ARRAYS as error:
            raise unreadable("", error) from error


class Npz:
    """Files of several arrays by name: the streams of a video, or one array per video."""

    suffixes = (".npz",)

    def find(self, path: Path) -> Iterator[FoundArray | FoundOther]:
        """Yield the arrays; only their headers are read."""
        try:
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if info.filename.endswith(".npy"):
                        name = info.filename.removesuffix(".npy")
                        with archive.open(info) as file:
                            yield _found_in_archive(file, name)
        except NOT_ARRAYS as error:
            raise unreadable(path, error) from error

    @contextmanager
    def open(self, path: Path) -> Iterator["NpzReader"]:
        """Return a reader."""
        try:
            archive = np.load(path, allow_pickle=False)
        except NOT_ARRAYS as error:
            raise unreadable(path, error) from error
        with closing(archive):
            yield NpzReader(archive)


class NpzReader:
    """Reads arrays of a file by name."""

    def __init__(self, archive: "np.lib.npyio.NpzFile") -> None:
        self._archive = archive

    def read(self, key: Key) -> Content:
        """Return the array of that name."""
        try:
            return Content({"": self._archive[str(key)]})
        except NOT_ARRAYS as error:
            raise unreadable("", error) from error


def unreadable(where: object, error: Exception) -> DataError:
    """Return the error for a file that is damaged, cut short, or holds Python objects."""
    reason = reason_of(error)
    if "pickle" in reason:
        reason = "it holds Python objects, which are never loaded"
    return DataError(f"cannot be read ({reason})", where=where, hint=_HINT)


def _found(file: IO[bytes], names: tuple[str, ...], key: Key) -> FoundArray:
    """Return what the header of an .npy stream holds."""
    shape, dtype = _header(file)
    return FoundArray(names, key, shape, dtype.itemsize * math.prod(shape))


def _found_in_archive(file: IO[bytes], name: str) -> FoundArray | FoundOther:
    """Return an array of an .npz, or that it is text or a single number."""
    try:
        shape, dtype = _header(file)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if not shape or dtype.kind not in "fiu":
        return FoundOther(name)
    return FoundArray(tuple(name.split("/")), name, shape, dtype.itemsize * math.prod(shape))


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:  # noqa: ANN401  (a binary file)
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never loaded")
    if any(size < 0 for size in shape):  # numpy 1 takes -1 for the size that is left
        raise ValueError(f"its shape is {tuple(shape)}")
    return tuple(shape), dtype
