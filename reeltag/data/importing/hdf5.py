"""HDF5 files: datasets by id, or in groups as id/stream or stream/id. Needs the extra "hdf5"."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reeltag.core.errors import DataError, reason_of
from reeltag.core.extras import check_extra
from reeltag.data.importing.sources import Content, FoundArray, FoundOther, Key

_HINT = "Check that it is an HDF5 file that was closed after writing, with datasets of numbers."


class Hdf5:
    """Files of datasets, in any depth of groups."""

    suffixes = (".h5", ".hdf5")

    def find(self, path: Path) -> Iterator[FoundArray | FoundOther]:
        """Yield the datasets by name, those that links name too; no values are read."""
        with _opened(path) as file:
            found = list[FoundArray | FoundOther]()

            def visit(name: str, link: Any) -> None:  # noqa: ANN401  (one of three kinds of links)
                item, target = file.get(name), getattr(link, "path", None)
                if not hasattr(item, "dtype"):
                    if target is not None:
                        found.append(FoundOther(f"{name} (a link to {target})"))
                    return
                shape, names = tuple(item.shape or ()), tuple(name.split("/"))
                if shape and item.dtype.kind in "fiu":
                    found.append(FoundArray(names, name, shape, int(item.nbytes)))
                else:
                    found.append(FoundOther(name))

            try:
                file.visititems_links(visit)
            except Exception as error:  # h5py's errors have no root of their own
                what = f"cannot be read as HDF5 ({reason_of(error)})"
                raise DataError(what, where=path, hint=_HINT) from error
        yield from found

    @contextmanager
    def open(self, path: Path) -> Iterator["Hdf5Reader"]:
        """Return a reader."""
        with _opened(path) as file:
            yield Hdf5Reader(file)


class Hdf5Reader:
    """Reads datasets of a file by path."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401  (h5py.File)
        self._file = file

    def read(self, key: Key) -> Content:
        """Return the values of that dataset."""
        try:
            return Content({"": self._file[key][()]})
        except Exception as error:  # as above
            what = f"dataset {key!r} cannot be read ({reason_of(error)})"
            raise DataError(what, hint=_HINT) from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with check_extra("hdf5"):
        import h5py
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        what = f"cannot be read as HDF5 ({reason_of(error)})"
        raise DataError(what, where=path, hint=_HINT) from error
    with file:
        yield file
