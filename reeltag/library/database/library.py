"""The library of a data folder, `DATA/library.sqlite`: what its videos are and what became of them.

    with Library.open(data, create=True) as library:
        report = library.sync(find_media([folder]))
        for video in library.waiting():
            ...

Several processes may use it at once. Features are in shards and predictions in Parquet; here is
what files are and what people do.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Select, delete, func, insert, inspect, select, update

from reeltag.core.addresses import check_is_local
from reeltag.core.csv_rows import CsvWriter
from reeltag.core.errors import DataError
from reeltag.core.files import whole_file
from reeltag.library.database.connection import Database
from reeltag.library.database.ratings import RatingStore
from reeltag.library.database.syncing import Synchroniser, SyncReport
from reeltag.library.database.tables import (
    FEATURES_ONLY,
    JobRow,
    PathRow,
    StreamRow,
    VideoRow,
    now,
)
from reeltag.library.media.finding import LIBRARY_FILE, FoundMedia
from reeltag.library.media.media_info import MediaInfo

CSV_FILE = "videos.csv"
_CSV_COLUMNS = ("id", "path", "duration_s", "split", "group", "state", "error", "note")
_FIXED = ("key", "id", "content", "path", "size", "mtime_ns", "added_at")  # `sync` alone sets them
_BATCH = 1000


class Library:
    """The videos of a data folder; made by `open`.

    Args:
        database: of the library.
        data: the folder.

    Attributes:
        ratings: of windows of videos by people.
    """

    def __init__(self, database: Database, data: Path) -> None:
        self._database, self.data = database, data
        self.ratings = RatingStore(database)

    @staticmethod
    def open(data: Path, *, create: bool = False) -> "Library":
        """Open the library of a data folder.

        Args:
            data: the folder.
            create: make one where there is none.

        Raises:
            DataError: there is none, it is damaged, or of a newer reeltag.
            OutputError: it cannot be made, or another process writes for more than a minute.
        """
        check_is_local(data)
        path = data / LIBRARY_FILE
        if not path.is_file() and not create:
            raise DataError(
                "has no library of videos", where=data, hint="`reeltag extract` makes one."
            )
        return Library(Database(path), data)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> "Library":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def sync(self, found: FoundMedia) -> SyncReport:
        """Note which videos are there now, by their content; return what is different.

        A file that was moved or renamed stays the same video; another content at the same path is
        a new one; one content at several paths is one video. A video whose file has vanished is
        marked, and kept. Only files that are new or have changed are read.

        Args:
            found: by `find_media`.
        """
        with self._database.writing() as session:
            return Synchroniser(session).sync(found)

    def videos(self, *states: str) -> list[VideoRow]:
        """Return the videos in some states, all without any, in the order of their ids."""
        query = select(VideoRow).order_by(VideoRow.id)
        return self._all(query.where(VideoRow.state.in_(states)) if states else query)

    def waiting(self, *, retry: bool = False) -> list[VideoRow]:
        """Return the videos to extract in the order of their content, so in a random order.

        Args:
            retry: those with errors too.
        """
        states = ("new", "error") if retry else ("new",)
        return self._all(
            select(VideoRow).where(VideoRow.state.in_(states)).order_by(VideoRow.content)
        )

    def values(self, *names: str) -> list[tuple[Any, ...]]:
        """Return some attributes of all videos, in the order of their ids."""
        columns = [getattr(VideoRow, name) for name in names]
        with self._database.reading() as session:
            query = select(*columns).order_by(VideoRow.id)
            return [tuple(row) for row in session.execute(query)]

    def num_copies(self) -> int:
        """Return how many files have the content of another one."""
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(PathRow)) or 0

    def get(self, video_id: str) -> VideoRow:
        """Return a video by its id; DataError, with ids like it, where there is none."""
        with self._database.reading() as session:
            row = session.scalar(select(VideoRow).where(VideoRow.id == video_id))
            if row is not None:
                return row
            like = select(VideoRow.id).where(VideoRow.id.icontains(video_id, autoescape=True))
            near = session.scalars(like.order_by(VideoRow.id).limit(3)).all()
        hint = f"There are {', '.join(near)}." if near else "`reeltag library DATA` lists them."
        raise DataError(f"has no video {video_id!r}", where=self.data, hint=hint)

    def paths(self, video: VideoRow) -> list[Path]:
        """Return the files of a video, the first one and its copies."""
        with self._database.reading() as session:
            query = select(PathRow.path).where(PathRow.video == video.key).order_by(PathRow.path)
            return [video.path, *session.scalars(query)]

    def streams(self, video: VideoRow) -> list[StreamRow]:
        """Return the streams of a video, in the order of its container."""
        query = select(StreamRow).where(StreamRow.video == video.key).order_by(StreamRow.index)
        with self._database.reading() as session:
            return list(session.scalars(query))

    def save(self, videos: Iterable[VideoRow]) -> None:
        """Write what was changed of videos; paths, ids and contents are those that `sync` found."""
        columns = [of.key for of in inspect(VideoRow).column_attrs if of.key not in _FIXED]
        with self._database.writing() as session:
            for batch in _batches(videos):
                values = [
                    {"key": video.key, **{name: getattr(video, name) for name in columns}}
                    for video in batch
                ]
                session.execute(update(VideoRow), values)

    def set_extracted(self, shard: str, contents: Iterable[str]) -> None:
        """Note that videos are in a shard: all of them, or none if it is interrupted."""
        with self._database.writing() as session:
            for batch in _batches(contents):
                values = {"state": "extracted", "shard": shard, "error": "", "changed_at": now()}
                session.execute(update(VideoRow).where(VideoRow.content.in_(batch)).values(values))

    def add_records(self, seconds: Mapping[str, float]) -> None:
        """Note videos that are known by their features alone, so that they can be rated.

        Args:
            seconds: id of a record -> its length; ids that are in the library stay as they are.
        """
        with self._database.writing() as session:
            for names in _batches(seconds):
                known = set(session.scalars(select(VideoRow.id).where(VideoRow.id.in_(names))))
                session.add_all(
                    VideoRow(
                        id=name,
                        content=f"{FEATURES_ONLY}{name}",
                        path=Path(),
                        size=0,
                        mtime_ns=0,
                        state="extracted",
                        duration_s=seconds[name],
                    )
                    for name in names
                    if name not in known
                )

    def describe(self, video: VideoRow, info: MediaInfo) -> None:
        """Note what is in a file; a duration that is known from decoding stays."""
        video.container = info.container
        video.duration_s = info.duration_s if video.duration_s is None else video.duration_s
        video.has_picture, video.has_sound = info.picture is not None, info.sound is not None
        with self._database.writing() as session:
            session.execute(delete(StreamRow).where(StreamRow.video == video.key))
            if info.streams:
                values = [{"video": video.key, **asdict(of)} for of in info.streams]
                session.execute(insert(StreamRow), values)
        self.save([video])

    def splits(self) -> dict[str, str]:
        """Return the split of each group that has a video in a shard."""
        query = select(VideoRow.group, VideoRow.split).where(VideoRow.shard != "").distinct()
        with self._database.reading() as session:
            return dict(session.execute(query).all())

    @contextmanager
    def job(self, command: str) -> Iterator[dict[str, Any]]:
        """Note that a command works here; what it puts into the yielded dict are its counts."""
        counts = dict[str, Any]()
        with self._database.writing() as session:
            row = JobRow(command=command)
            session.add(row)
        try:
            yield counts
        finally:
            with self._database.writing() as session:
                done = {"counts": counts, "ended_at": now()}
                session.execute(update(JobRow).where(JobRow.key == row.key).values(done))

    def jobs(self) -> list[JobRow]:
        """Return what worked here, the last one first."""
        with self._database.reading() as session:
            return list(session.scalars(select(JobRow).order_by(JobRow.key.desc())))

    def write_csv(self) -> Path:
        """Write `DATA/videos.csv`, one row per video, and return its path; OutputError if not."""
        path = self.data / CSV_FILE
        with (
            whole_file(path) as part,
            part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            rows = CsvWriter(file)
            rows.writerow(_CSV_COLUMNS)
            for content, *row in self.values("content", *_CSV_COLUMNS):
                if not content.startswith(FEATURES_ONLY):
                    rows.writerow(row)
        return path

    def _all(self, query: Select[VideoRow]) -> list[VideoRow]:
        with self._database.reading() as session:
            return list(session.scalars(query))


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield lists of at most 1,000: SQLite limits the values of a statement."""
    batch = list[Any]()
    for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
