"""All videos of a project in columns: from the records, and from the library where there is one.

Letters in shapes: V videos.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.selection import column_of
from reeltag.data.splits import Split
from reeltag.library.database.library import Library
from reeltag.server.project.missing import NotThereError
from reeltag.server.views.videos import VideoState

_LIBRARY = ("id", "path", "duration_s", "state", "error", "note", "split", "group", "added_at")
_TICK = 1e-6  # seconds: videos that were added in the same second keep their order
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, eq=False)
class VideoTable:
    """V videos: those of the records first, then those that the library alone knows.

    Attributes:
        ids: of the videos, each once.
        names: of their files, or the ids.
        seconds: (V,) how long they are; NaN = not known.
        states: what became of each.
        reasons: why one failed, or a note.
        splits: that each is in; "" = not known.
        groups: of near copies; "" = none.
        rows: (V,) the row of the data's table; -1 = it has no features.
        added: (V,) a number that is larger for what was added later.
        has_file: (V,) whether the library knows a file.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    seconds: NDArray[np.float64]
    states: tuple[VideoState, ...]
    reasons: tuple[str, ...]
    splits: tuple[str, ...]
    groups: tuple[str, ...]
    rows: NDArray[np.int64]
    added: NDArray[np.float64]
    has_file: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return V."""
        return len(self.ids)

    @cached_property
    def places(self) -> dict[str, int]:
        """Id -> number of the video."""
        return {video: at for at, video in enumerate(self.ids)}

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """V texts without case that a search by name looks into."""
        return tuple(
            f"{name}\n{video}".casefold() for name, video in zip(self.names, self.ids, strict=True)
        )

    def named(self, search: str) -> NDArray[np.bool_]:
        """Return (V,) whose names or ids hold all words of a search, in any case."""
        words = search.casefold().split()
        return np.array([all(word in text for word in words) for text in self.texts], bool)

    @cached_property
    def by_name(self) -> NDArray[np.int64]:
        """(V,) the videos in the order of their names, numbers in them by value."""
        keys = [natural_key(name) for name in self.names]
        order = sorted(range(len(self)), key=lambda at: (keys[at], self.ids[at]))
        return np.array(order, np.int64)

    def place(self, video: str) -> int:
        """Return the number of a video; NotThereError where there is none."""
        found = self.places.get(video)
        if found is None:
            raise NotThereError.of("video", video, self.ids)
        return found


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return what sorts names as people do.

    >>> sorted(["b", "a10", "A2"], key=natural_key)
    ['A2', 'a10', 'b']
    """
    parts = _NUMBER.split(name.casefold())
    return [(0, int(part), "") if at % 2 else (1, 0, part) for at, part in enumerate(parts)]


def read_videos(data: Dataset, library: Library | None) -> VideoTable:
    """Return the videos of the records and of the library."""
    rows = rows_by_id(data)
    known = {} if library is None else {of[0]: of for of in library.values(*_LIBRARY)}
    ids = [*rows, *(video for video in known if video not in rows)]
    frames, shards = column_of(data.table, "frames"), column_of(data.table, "shard")
    rate = np.inf if data.kind == "video" else data.features.rate_hz
    splits = _splits(data)
    columns = list[_Video]()
    for at, video in enumerate(ids):
        row = rows.get(video, -1)
        split = splits.get(int(shards[row]), "") if row >= 0 else ""
        seconds = float(frames[row] / rate) if row >= 0 else 0.0
        entry = _Video(video, seconds or np.nan, "extracted", "", split, "", float(at), False)
        if video in known:
            _, path, duration_s, state, error, note, own_split, group, added_at = known[video]
            entry = _Video(
                path.name.encode("utf-8", "backslashreplace").decode("utf-8") or video,
                entry.seconds if duration_s is None else duration_s,
                state,
                error or note,
                own_split or split,
                group,
                added_at.timestamp() + at * _TICK,
                path.name != "",
            )
        columns.append(entry)
    names, seconds_V, states, reasons, of_split, groups, added, has_file = (
        zip(*columns, strict=True) if columns else [()] * len(_Video._fields)
    )
    return VideoTable(
        ids=tuple(ids),
        names=names,
        seconds=np.array(seconds_V, np.float64),
        states=states,
        reasons=reasons,
        splits=of_split,
        groups=groups,
        rows=np.array([rows.get(video, -1) for video in ids], np.int64),
        added=np.array(added, np.float64),
        has_file=np.array(has_file, bool),
    )


class _Video(NamedTuple):
    """A row of the table."""

    name: str
    seconds: float
    state: VideoState
    reason: str
    split: str
    group: str
    added: float
    has_file: bool


def rows_by_id(data: Dataset) -> dict[str, int]:
    """Return id -> its first usable row of the data's table."""
    ids, rows = data.table["id"].to_pylist(), dict[str, int]()
    for row in np.flatnonzero(~column_of(data.table, "skip")).tolist():
        if ids[row]:
            rows.setdefault(ids[row], row)
    return rows


def _splits(data: Dataset) -> dict[int, str]:
    """Return shard -> split; shards of no split are left out."""
    found = dict[int, str]()
    splits: tuple[Split, ...] = ("train", "validate", "test")
    for split in splits:
        try:
            found |= dict.fromkeys(data.shards_of(split), split)
        except ConfigError:  # the split is empty
            continue
    return found
