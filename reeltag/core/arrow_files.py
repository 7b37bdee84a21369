"""Files that Arrow reads and writes; by their bytes, for it refuses names that are no UTF-8."""

import os
from pathlib import Path

import pyarrow as pa


def arrow_source(path: Path) -> pa.OSFile:
    """Open a file for reading.

    Args:
        path: of the file.

    Raises:
        OSError: it cannot be read.
    """
    return pa.OSFile(os.fsencode(path))


def arrow_sink(path: Path) -> pa.OSFile:
    """Open a file for writing, whose end is written when it is closed.

    Args:
        path: of the file.

    Raises:
        OSError: it cannot be written.
    """
    return pa.OSFile(os.fsencode(path), "wb")


def mapped_source(path: Path) -> pa.MemoryMappedFile:
    """Map a file into memory.

    Args:
        path: of the file.

    Raises:
        OSError: it cannot be read.
    """
    return pa.memory_map(os.fsencode(path))
