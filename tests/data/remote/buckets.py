"""Buckets of an S3 server of this machine, and what is asked of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reeltag.data.remote.store import ObjectStore


class Bucket:
    """A new bucket.

    Args:
        name: of it.
    """

    def __init__(self, name: str) -> None:
        import fsspec

        self._files: Any = fsspec.filesystem("s3")
        self.name = name
        self._files.mkdir(name)

    def address(self, folder: str = "data") -> str:
        """Return the address of a folder."""
        return f"s3://{self.name}/{folder}"

    def put(self, source: Path, folder: str = "data") -> str:
        """Copy the files in and below a folder, but hidden ones; return the address."""
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                self.write(f"{folder}/{name.as_posix()}", path.read_bytes())
        return self.address(folder)

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        self._files.pipe_file(f"{self.name}/{key}", content)

    def remove(self, key: str) -> None:
        """Remove an object."""
        self._files.rm_file(f"{self.name}/{key}")


@contextmanager
def reads(patch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int, int]]]:
    """Yield what is read of objects within the block: name, first byte and end."""
    seen, read = list[tuple[str, int, int]](), ObjectStore.read

    def noting(self: ObjectStore, name: str, begin: int, end: int) -> bytes:
        seen.append((name, begin, end))
        return read(self, name, begin, end)

    with patch.context() as of:
        of.setattr(ObjectStore, "read", noting)
        yield seen
