"""What became of each video of an archive: `DATA/.reeltag/extract/videos.json`."""

import csv
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from reeltag.core.files import whole_file, write_json

_SHARD = re.compile(r"(train|validate|test)(\d+)\.tfrecord")
State = Literal["new", "extracted", "error", "missing"]


@dataclass(kw_only=True)
class VideoEntry:
    """A video of an archive.

    Attributes:
        id: of its record.
        content: id of its content.
        path: of its file.
        size: bytes of the file.
        mtime_ns: when it was last changed.
        state: what became of it.
        error: why nothing did.
        note: what a person should know.
        group: of near copies.
        split: that it is in; "" = not decided.
        shard: that holds it.
        frames: in its record.
        duration_s: seconds.
        about: what else is known of the file.
    """

    id: str
    content: str
    path: str
    size: int
    mtime_ns: int
    state: State = "new"
    error: str = ""
    note: str = ""
    group: str = ""
    split: str = ""
    shard: str = ""
    frames: int = 0
    duration_s: float | None = None
    about: dict[str, Any] = field(default_factory=dict)


@dataclass
class Changes:
    """How the files differ from what was known: content ids."""

    new: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)


class Ledger:
    """The videos of an archive, by the id of their content.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.videos = dict[str, VideoEntry]()
        if path.is_file():
            stored = json.loads(path.read_text(encoding="utf-8"))
            self.videos = {of["content"]: VideoEntry(**of) for of in stored}

    def save(self) -> None:
        """Write it, whole or not at all; OutputError if that cannot be."""
        write_json(self._path, [asdict(of) for of in self.videos.values()])

    def sync(self, files: Iterable[tuple[Path, str]]) -> Changes:
        """Note which videos are there; return how that differs from what was known.

        Args:
            files: path and content id of each.
        """
        changes, seen = Changes(), dict[str, Path]()
        for path, content in files:
            known_path = content in self.videos and self.videos[content].path == str(path)
            if content in seen:
                changes.copies.append(str(path))
            if content not in seen or known_path:
                seen[content] = path
        for content, path in seen.items():
            status, known = path.stat(), self.videos.get(content)
            if known is None:
                known = VideoEntry(
                    id=self._id_of(path, content),
                    content=content,
                    path=str(path),
                    size=status.st_size,
                    mtime_ns=status.st_mtime_ns,
                )
                self.videos[content] = known
                changes.new.append(content)
            elif known.path != str(path):
                known.path = str(path)
                changes.moved.append(content)
            if known.state == "missing":
                known.state = "extracted" if known.shard else "new"
                changes.back.append(content)
        for content, known in self.videos.items():
            if content not in seen and known.state != "missing" and not os.path.exists(known.path):
                known.state = "missing"
                changes.missing.append(content)
        return changes

    def waiting(self, *, retry: bool = False) -> list[VideoEntry]:
        """Return the videos to extract, by content id; `retry`: those with errors too."""
        states = ("new", "error") if retry else ("new",)
        found = [of for of in self.videos.values() if of.state in states]
        return sorted(found, key=lambda of: of.content)

    def splits(self) -> dict[str, str]:
        """Return the split of each group that has one."""
        return {of.group: of.split for of in self.videos.values() if of.shard}

    def set_extracted(self, shard: str, contents: Sequence[str]) -> None:
        """Note that some videos are in a shard."""
        for content in contents:
            self.videos[content].state, self.videos[content].shard = "extracted", shard
        self.save()

    def write_csv(self, path: Path) -> None:
        """Write all videos as CSV; OutputError if that cannot be."""
        names = ("id", "path", "duration_s", "split", "group", "state", "error")
        with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(names)
            for of in sorted(self.videos.values(), key=lambda of: of.id):
                rows.writerow([getattr(of, name) for name in names])

    def _id_of(self, path: Path, content: str) -> str:
        taken = {of.id for of in self.videos.values()}
        return path.stem if path.stem not in taken else f"{path.stem}-{content[:8]}"


def shards_by_split(shards: Iterable[str]) -> Mapping[str, int]:
    """Return the number of the next shard of each split, by names such as train0003.tfrecord."""
    first = dict[str, int]()
    for name in shards:
        if match := _SHARD.fullmatch(name):
            first[match[1]] = max(first.get(match[1], 0), int(match[2]) + 1)
    return first
