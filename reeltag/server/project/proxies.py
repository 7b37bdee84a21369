"""Playable copies of files that browsers do not play: made on demand, kept while there is room.

FOLDER/CONTENT.mp4         of the file with this content: H.264 and AAC, at most 720 lines
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.parts import remove_dead_parts
from reeltag.core.writing import make_folder
from reeltag.server.project.played_file import PlayedFile, played_file_or_none
from reeltag.server.project.project import Project
from reeltag.server.views.overview import JobView
from reeltag.server.views.videos import ProxyState

_ENDING = ".mp4"


class NotNeededError(ConfigError):
    """A playable copy that would be of no use."""

    status = 409


class ProxyStore:
    """The playable copies of a project.

    Args:
        folder: of the files.
        most_bytes: of all together; 0 = none are made.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes

    def find(self, file: PlayedFile) -> Path | None:
        """Return the copy of a file, which is used now; None = there is none."""
        path = self._path(file)
        try:
            status = path.stat()
        except OSError:
            return None
        with suppress(OSError):  # but for the disk's own rules about times of access
            os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
        return path

    def state(self, project: Project, video: str, jobs: list[JobView]) -> ProxyState:
        """Return whether browsers play the file of a video, or need a copy.

        Args:
            project: that the video is in.
            video: id.
            jobs: that run or wait.
        """
        file = played_file_or_none(project, video)
        if file is None:
            return "impossible"
        if file.is_playable:
            return "not needed"
        if self._path(file).is_file():
            return "ready"
        if any(of.kind == "proxy" and of.title == title_of(file) for of in jobs):
            return "making"
        return "needed" if self._most_bytes else "impossible"

    def command(self, file: PlayedFile) -> list[str]:
        """Return the program that makes the copy of a file; room for it is made first.

        Args:
            file: that browsers do not play.

        Raises:
            NotNeededError: they do, or there is a copy already.
            DataError: no copies are made here.
            OutputError: the folder of copies cannot be made.
        """
        if file.is_playable or self.find(file) is not None:
            raise NotNeededError("browsers play this video: there is no copy to make")
        if not self._most_bytes:
            raise DataError("no copies are made here: the limit of their size is 0")
        make_folder(self._folder)
        self.trim()
        module = "reeltag.server.project.proxy_job"
        return [sys.executable, "-m", module, str(file.path), str(self._path(file))]

    def trimming(self, file: PlayedFile) -> Callable[[], None]:
        """Return what to call when the copy of a file is made."""
        return lambda: self.trim(keep=self._path(file))

    def trim(self, keep: Path | None = None) -> None:
        """Remove the copies that were not used for longest, as far as all are too large.

        Args:
            keep: one that stays whatever its size.
        """
        found = list[tuple[float, int, Path]]()
        for path in self._folder.glob(f"*{_ENDING}"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_atime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._most_bytes:
                return
            if path != keep:
                with suppress(OSError):
                    path.unlink()
                    total -= size

    def clean(self) -> None:
        """Remove what killed jobs have left half-written; for a time when none runs."""
        remove_dead_parts(self._folder)

    def _path(self, file: PlayedFile) -> Path:
        return self._folder / f"{file.content}{_ENDING}"


def title_of(file: PlayedFile) -> str:
    """Return the title of the job that makes the copy of a file."""
    name = file.path.name.encode("utf-8", "replace").decode("utf-8")
    return f"Playable copy of {name}"
