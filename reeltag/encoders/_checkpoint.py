"""Tensors of a file of `torch.save` in its old format, read without torch and without its pickles.

    magic number | version | system | structure with names of storages | their names
          | for each: number of values (int64), values

What is read is names, shapes and numbers: any other class that the file names is refused.

torch alone takes half a gigabyte of memory, which a worker that computes by onnxruntime saves.
"""

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, reason_of

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class _Lazy:
    """A tensor whose values come later in the file."""

    def __init__(
        self,
        storage: tuple[str, str],
        first: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *_: object,
    ) -> None:
        self.key, self.dtype = storage
        self._first, self._shape, self._strides = first, shape, strides

    def of(self, storages: dict[str, bytes]) -> NDArray[Any]:
        """Return its values; ValueError where the file holds fewer."""
        size = np.dtype(self.dtype).itemsize
        strides = tuple(size * stride for stride in self._strides)
        at = size * self._first
        return np.ndarray(self._shape, self.dtype, storages[self.key], at, strides).copy()


class _Reader(pickle.Unpickler):
    """Builds nothing but dictionaries of tensors."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Lazy
        if module == "torch" and name in _TYPES:
            return name
        raise pickle.UnpicklingError(f"holds a {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, str]:  # noqa: ANN401
        _, kind, key, *_ = pid
        return str(key), _TYPES[kind]


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a file, those of float32 and int64, by name.

    ConfigError where it is no such file.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (  # whatever damaged bytes lead to
        OSError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        struct.error,
        pickle.UnpicklingError,
    ) as error:
        raise ConfigError(f"cannot be read as weights ({reason_of(error)})", where=path) from error


def _read(file: BinaryIO) -> dict[str, NDArray[Any]]:
    load: Callable[[], Any] = lambda: _Reader(file).load()  # noqa: E731
    if load() != _MAGIC:
        raise pickle.UnpicklingError("is of another format")
    load(), load()
    lazy: dict[str, _Lazy] = load()
    sizes = {of.key: np.dtype(of.dtype).itemsize for of in lazy.values()}
    storages = dict[str, bytes]()
    for key in load():
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = file.read(count * sizes[key])
    return {name: of.of(storages) for name, of in lazy.items()}
