"""Optuna's journal of a study, on disks that fill and with processes that are killed."""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from reeltag.core.writing import writing


class Journal(JournalFileBackend):
    """A journal whose last line is whole before another one is written behind it.

    Args:
        path: of the file.

    Raises:
        OutputError: the disk is full, or it cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._writing():
            super().__init__(str(path), _Lock(str(path)))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append entries; OutputError where the disk does not take them."""
        with self._writing():
            super().append_logs(logs)

    def _writing(self) -> AbstractContextManager[None]:
        hint = "Free some space and run the same command again: it goes on with the study."
        return writing(self._path, hint=hint)


class _Lock(JournalFileSymlinkLock):
    """Whoever gets the lock removes what a kill or a full disk left of a line."""

    def acquire(self) -> bool:
        """Wait for the lock."""
        got = super().acquire()
        with open(self._lock_target_file, "rb+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            if size and file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        return got
