"""Files of safetensors: tensors by name, as the arrays of an .npz."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from reeltag.core.errors import DataError, reason_of
from reeltag.data.importing.sources import Content, FoundArray, FoundOther, Key

_NUMBERS = {"F64": 8, "F32": 4, "F16": 2, "U8": 1, "I8": 1, "I16": 2, "I32": 4, "I64": 8}
_HINT = "Save the tensors again as float32 or float16."


class Safetensors:
    """Files of tensors: the streams of a video, or one tensor per video."""

    suffixes = (".safetensors",)

    def find(self, path: Path) -> Iterator[FoundArray | FoundOther]:
        """Yield the tensors; only the header is read."""
        with _opened(path) as file:
            for name in sorted(file.keys()):
                of = file.get_slice(name)
                shape, kind = tuple(of.get_shape()), of.get_dtype()
                if kind == "BOOL":
                    yield FoundOther(name)
                    continue
                if kind not in _NUMBERS:
                    what = f"tensor {name!r} holds {kind}, which numpy does not have"
                    raise DataError(what, where=path, hint=_HINT)
                size = _NUMBERS[kind] * int(np.prod(shape, dtype=np.int64))
                names = tuple(name.split("/"))
                yield FoundArray(names, name, shape, size) if shape else FoundOther(name)

    @contextmanager
    def open(self, path: Path) -> Iterator["SafetensorsReader"]:
        """Return a reader."""
        with _opened(path) as file:
            yield SafetensorsReader(file)


class SafetensorsReader:
    """Reads tensors of a file by name."""

    def __init__(self, file: safe_open) -> None:
        self._file = file

    def read(self, key: Key) -> Content:
        """Return that tensor."""
        return Content({"": self._file.get_tensor(str(key))})


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    try:
        file = safe_open(path, framework="numpy")
    except (OSError, SafetensorError) as error:
        what = f"cannot be read as safetensors ({reason_of(error)})"
        raise DataError(what, where=path, hint=_HINT) from error
    with file as opened:
        yield opened
