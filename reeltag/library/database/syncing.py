"""Which videos of a library are new, moved, vanished, there again or copied."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from reeltag.core.errors import reason_of
from reeltag.core.system.file_names import usable_name
from reeltag.library.database.tables import FEATURES_ONLY, PathRow, VideoRow, VideoState, now
from reeltag.library.media.finding import FoundMedia, MediaFile, content_id

_ID_BYTES = 120  # of a video's id: it names files


@dataclass
class SyncReport:
    """How files differ from what a library knew: ids of videos.

    Attributes:
        new: that were never seen.
        changed: new ones, where another video was before.
        moved: whose file has another path now.
        missing: whose file has vanished.
        back: that had vanished and are there again.
        copies: paths of files with the content of another one.
        problems: (path, reason) of files that cannot be read.
        unchanged: how many are as they were.
    """

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)
    unchanged: int = 0


class _Known(NamedTuple):
    """What is known of a path."""

    content: str
    size: int
    mtime_ns: int


class _Row(NamedTuple):
    """What is known of a video."""

    key: int
    id: str
    path: Path
    size: int
    mtime_ns: int
    state: VideoState
    shard: str


class Synchroniser:
    """Brings a library up to date with the files that were found.

    Args:
        session: that is written.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._report = SyncReport()
        self._rows = dict[str, _Row]()
        self._known = dict[Path, _Known]()
        self._paths: dict[str, list[Path]] = defaultdict(list)
        known = select(*(getattr(VideoRow, name) for name in (*_Row._fields, "content")))
        has_file = ~VideoRow.content.startswith(FEATURES_ONLY)
        for *values, content in session.execute(known.where(has_file)):
            row = self._rows[content] = _Row._make(values)
            self._know(row.path, _Known(content, row.size, row.mtime_ns))
        others = select(PathRow.path, VideoRow.content, PathRow.size, PathRow.mtime_ns)
        for path, *what in session.execute(others.join(VideoRow, VideoRow.key == PathRow.video)):
            self._know(path, _Known._make(what))
        self._ids = {_folded(name) for name in session.scalars(select(VideoRow.id))}

    def sync(self, found: FoundMedia) -> SyncReport:
        """Note which videos are where, and return what that changes; see `Library.sync`."""
        files = self._by_content(found.files)
        here = {file.path for copies in files.values() for file in copies}
        added = list[tuple[VideoRow, list[MediaFile]]]()
        for content, copies in sorted(files.items(), key=lambda item: item[1][0].path):
            if content in self._rows:
                self._meet(content, [*copies, *self._elsewhere(content, here)])
            else:
                added.append((self._new(content, copies), copies[1:]))
        for content in self._rows:
            if content not in files:
                self._meet(content, self._elsewhere(content, here))
        self._session.add_all(row for row, _ in added)
        self._session.flush()
        for row, copies in added:
            self._set_others(row.key, row.content, copies)
        return self._report

    def _know(self, path: Path, known: _Known) -> None:
        self._known[path] = known
        self._paths[known.content].append(path)

    def _by_content(self, files: Iterable[MediaFile]) -> dict[str, list[MediaFile]]:
        """Return the files by content, which is read only where a file is new or has changed."""
        found: dict[str, list[MediaFile]] = {}
        for file in files:
            known = self._known.get(file.path)
            try:
                if known is not None and known[1:] == (file.size, file.mtime_ns):
                    content = known.content
                else:
                    content = content_id(file.path)
            except OSError as error:
                self._report.problems.append((file.path, reason_of(error)))
                continue
            found.setdefault(content, []).append(file)
        return found

    def _elsewhere(self, content: str, here: set[Path]) -> list[MediaFile]:
        """Return the files of a content that are known and still there, but were not found now."""
        return [
            MediaFile(path, self._known[path].size, self._known[path].mtime_ns)
            for path in self._paths[content]
            if path not in here and os.path.exists(path)
        ]

    def _new(self, content: str, copies: list[MediaFile]) -> VideoRow:
        first = copies[0]
        name = self._id(first.path, content)
        is_change = any(file.path in self._known for file in copies)
        (self._report.changed if is_change else self._report.new).append(name)
        return VideoRow(
            id=name,
            content=content,
            path=first.path,
            size=first.size,
            mtime_ns=first.mtime_ns,
        )

    def _meet(self, content: str, files: list[MediaFile]) -> None:
        """Note where a known video is; the path that is known first stays the first."""
        row = self._rows[content]
        if not files:
            if row.state != "missing":
                self._update(row.key, state="missing", changed_at=now())
                self._report.missing.append(row.id)
            return
        first = next((file for file in files if file.path == row.path), files[0])
        if row.state == "missing":
            state = "extracted" if row.shard else "new"
            self._update(row.key, state=state, changed_at=now())
            self._report.back.append(row.id)
        elif first.path != row.path:
            self._report.moved.append(row.id)
        else:
            self._report.unchanged += 1
        place = (first.path, first.size, first.mtime_ns)
        if place != (row.path, row.size, row.mtime_ns):
            self._update(row.key, path=first.path, size=first.size, mtime_ns=first.mtime_ns)
        self._set_others(row.key, content, [file for file in files if file is not first])

    def _update(self, key: int, **values: object) -> None:
        self._session.execute(update(VideoRow).where(VideoRow.key == key).values(**values))

    def _set_others(self, key: int, content: str, files: list[MediaFile]) -> None:
        """Note the further paths of a video."""
        known = self._paths.get(content, [])
        first = self._rows[content].path if content in self._rows else None
        self._report.copies += [file.path for file in files if file.path not in known]
        now_there = {file.path: _Known(content, file.size, file.mtime_ns) for file in files}
        if now_there == {path: self._known.get(path) for path in known if path != first}:
            return
        gone = or_(PathRow.video == key, PathRow.path.in_(now_there))
        self._session.execute(delete(PathRow).where(gone))
        self._session.add_all(
            PathRow(path=file.path, video=key, size=file.size, mtime_ns=file.mtime_ns)
            for file in files
        )
        self._session.flush()

    def _id(self, path: Path, content: str) -> str:
        """Return the id of a new video: the stem of its file, with some of its content if taken."""
        stem = safe_stem(path.stem)
        for digits in (0, 8, 16, 32):
            name = f"{stem}-{content[:digits]}" if digits else stem
            if _folded(name) not in self._ids:
                break
        self._ids.add(_folded(name))
        return name


def safe_stem(stem: str) -> str:
    """Return a stem that can name files anywhere: printable, UTF-8, not too long."""
    text = unicodedata.normalize("NFC", os.fsencode(stem).decode("utf-8", "replace"))
    text = "".join(of if of.isprintable() else "_" for of in text).strip()
    return usable_name(text.encode()[:_ID_BYTES].decode("utf-8", "ignore")) or "video"


def _folded(name: str) -> str:
    """Return what is equal for names that some file systems cannot tell apart."""
    return unicodedata.normalize("NFC", name).casefold()
