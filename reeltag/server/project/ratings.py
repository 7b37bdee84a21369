"""What people said of windows: taken, taken back, listed, exported.

Ratings that people give are in the library. Those of ratings.csv, or of the records, count too,
where the same window and class is not rated here.
"""

import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from threading import RLock
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from reeltag.core.csv_rows import CsvWriter
from reeltag.core.files import file_state
from reeltag.data.class_list import folder_of
from reeltag.data.dataset import Dataset
from reeltag.data.selection import lists_of
from reeltag.library.database.ratings import LibraryRating
from reeltag.library.media.finding import LIBRARY_FILE
from reeltag.server.project.classes import add_class
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.new_ratings import ConflictError, NewRating, checked_rating
from reeltag.server.views.ratings import Answer, DisagreementView, Origin, RatingView

if TYPE_CHECKING:  # which has ratings
    from reeltag.server.project.project import Project

ExportFormat: TypeAlias = Literal["csv", "parquet"]
_COLUMNS = ("id", "start_s", "end_s", "class", "value", "who", "rated_at", "origin", "chance")


class WindowKey(NamedTuple):
    """By what ratings of the same window and class are known; times in milliseconds."""

    video: str
    class_name: str
    start_ms: int
    end_ms: int | None


class ProjectRatings:
    """The ratings of a project; safe for threads.

    Args:
        project: whose videos and classes are rated.
    """

    def __init__(self, project: "Project") -> None:
        self._project, self._lock = project, RLock()
        self._imported: tuple[Dataset | None, list[LibraryRating]] = (None, [])
        self._all: tuple[object, list[LibraryRating]] = (None, [])
        self._by_video: tuple[list[LibraryRating], dict[str, list[LibraryRating]]] = ([], {})
        self._changes = 0

    @property
    def stamp(self) -> object:
        """What is another one when the ratings have changed."""
        path = folder_of(self._project.path) / LIBRARY_FILE
        files = (file_state(path), file_state(f"{path}-wal"))
        return self._changes, files, id(self._project.data)

    def add(self, given: NewRating) -> RatingView:
        """Store a rating; it is on the disk when this returns.

        Args:
            given: by a person.

        Returns:
            it; of one that is sent again under the same `client_id`, the one that is stored,
            whether it still counts or not.

        Raises:
            NotThereError: there is no such video or class.
            ConflictError: another rating has this `client_id`.
            DataError: the window, value or chance is not possible.
            OutputError: it cannot be written.
        """
        project = self._project
        rating = checked_rating(given, project)
        if rating.class_name not in project.data.classes.names:  # the encoder's
            add_class(project, rating.class_name)
        library = project.library or project.make_library()
        at = project.videos.place(given.video)
        if project.videos.rows[at] >= 0 and not project.videos.has_file[at]:
            library.add_records({given.video: float(project.videos.seconds[at])})
        (key,) = library.ratings.add([rating])
        self._changes += 1
        stored = library.ratings.get(key)
        same = (key_of(rating), rating.value, rating.who)
        if (key_of(stored), stored.value, stored.who) != same:
            raise ConflictError(
                f"another rating has the client_id {given.client_id}",
                hint="Give each rating a client_id of its own.",
            )
        return _view(stored)

    def undo(self, key: int) -> RatingView | None:
        """Take a rating back, and return the one of this window that counts now, if any.

        Args:
            key: of the rating.

        Raises:
            NotThereError: there is no such rating.
            ConflictError: it does not count any more, or was not given here.
        """
        if key < 0:
            raise ConflictError(
                "this rating is in the file or the records of the data",
                hint="Rate the window again: that counts in its place.",
            )
        library = self._project.library
        if library is None or not 0 < key <= library.ratings.last_key():
            raise NotThereError(f"there is no rating {key}")
        found = library.ratings.get(key)
        if not found.counts:
            raise ConflictError(
                "this rating does not count any more: there is a later one",
                hint="Look at the ratings of the video again.",
            )
        before = library.ratings.undo(key)
        self._changes += 1
        if before is not None:
            return _view(before)
        window = key_of(found)
        same = (rating for rating in self.imported() if key_of(rating) == window)
        return next((_view(rating) for rating in same), None)

    def all(self) -> list[LibraryRating]:
        """Return the ratings that count, those where a person was unsure too."""
        stamp = self.stamp
        with self._lock:
            if self._all[0] != stamp:
                self._all = stamp, self._read()
            return self._all[1]

    def by_video(self) -> dict[str, list[LibraryRating]]:
        """Return video -> its ratings that count and have a value, of the videos that have some."""
        ratings = self.all()
        with self._lock:
            if self._by_video[0] is not ratings:
                found = dict[str, list[LibraryRating]]()
                for rating in ratings:
                    if rating.value is not None:
                        found.setdefault(rating.video_id, []).append(rating)
                self._by_video = ratings, found
            return self._by_video[1]

    def views(
        self, video: str | None = None, *, offset: int = 0, limit: int | None = None
    ) -> list[RatingView]:
        """Return the ratings that count, of a video or of all, by video and time.

        Args:
            video: id; None = all.
            offset: of the first.
            limit: how many; None = all.

        Raises:
            NotThereError: there is no such video.
        """
        if video is not None:
            self._project.videos.place(video)
        found = [of for of in self.all() if video is None or of.video_id == video]
        return [_view(of) for of in found[offset : None if limit is None else offset + limit]]

    def disagreements(self) -> list[DisagreementView]:
        """Return the windows and classes that one person says yes to, and one no."""
        library, videos = self._project.library, self._project.videos
        found = [] if library is None else library.ratings.disagreements()
        return [
            DisagreementView(
                video=some[0].video_id,
                name=videos.names[videos.places[some[0].video_id]],
                start_s=some[0].start_s,
                end_s=some[0].end_s,
                class_name=some[0].class_name,
                ratings=tuple(map(_view, some)),
            )
            for some in found
            if some[0].video_id in videos.places
        ]

    def imported(self) -> list[LibraryRating]:
        """Return the ratings of ratings.csv or of the records; their keys are below 0."""
        data = self._project.data
        with self._lock:
            if self._imported[0] is not data:
                self._imported = data, list(_imported(data))
            return self._imported[1]

    def export(self, format: ExportFormat) -> bytes:
        """Return the ratings that count and have a value as a file.

        One of the whole video is of all its seconds. `reeltag solve --ratings` and
        `reeltag ratings --from` read such a file.

        Args:
            format: csv or parquet.
        """
        rows = [self._row(of) for of in self.all() if of.value is not None]
        if format == "csv":
            text = io.StringIO(newline="")
            writer = CsvWriter(text)
            writer.writerow(_COLUMNS)
            writer.writerows(rows)
            return text.getvalue().encode("utf-8", "replace")
        kinds = [pa.float64() if of in _NUMBERS else pa.string() for of in _COLUMNS]
        columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(arrays, names=list(_COLUMNS)), sink)
        return bytes(sink.getvalue())

    def _row(self, rating: LibraryRating) -> tuple[object, ...]:
        """Return the cells of `_COLUMNS`."""
        end_s = self.seconds_of(rating.video_id) if rating.end_s is None else rating.end_s
        rated_at = "" if rating.rated_at is None else _time(rating.rated_at)
        window = (rating.video_id, rating.start_s, end_s, rating.class_name, rating.value)
        return *window, rating.who, rated_at, rating.origin, rating.chance

    def seconds_of(self, video: str) -> float:
        """Return how long a video is; NaN = not known."""
        videos = self._project.videos
        at = videos.places.get(video)
        return float("nan") if at is None else float(videos.seconds[at])

    def _read(self) -> list[LibraryRating]:
        library = self._project.library
        own = [] if library is None else library.ratings.all(unsure=True)
        rated = {key_of(rating) for rating in own}
        found = own + [rating for rating in self.imported() if key_of(rating) not in rated]
        return sorted(found, key=lambda of: (of.video_id, of.start_s, of.class_name))


_NUMBERS = ("start_s", "end_s", "value", "chance")


def key_of(rating: LibraryRating) -> WindowKey:
    """Return by what a rating's window and class are known."""
    end_ms = None if rating.end_s is None else round(1000 * rating.end_s)
    return WindowKey(rating.video_id, rating.class_name, round(1000 * rating.start_s), end_ms)


def yes_and_no(ratings: Iterable[LibraryRating]) -> tuple[int, int, int]:
    """Return how many say yes, no, and unsure."""
    counts = [0, 0, 0]
    for rating in ratings:
        counts[2 if rating.value is None else 0 if rating.is_yes else 1] += 1
    return counts[0], counts[1], counts[2]


def _imported(data: Dataset) -> Iterator[LibraryRating]:
    """Yield the ratings of a data set, numbered down from -1; the first of each id."""
    if data.kind == "video":
        return
    number, seen = 0, set[str]()
    table = data.table.filter(~data.table["skip"].to_numpy()).combine_chunks()
    names = ("segment_starts", "segment_ends", "segment_labels", "segment_scores")
    columns = [lists_of(table, name) for name in names]
    for row, video in enumerate(table["id"].to_pylist()):
        if not video or video in seen:
            continue
        seen.add(video)
        first, last = columns[0][0][row], columns[0][0][row + 1]
        cells = [values[first:last].tolist() for _, values in columns]
        for start_s, end_s, category, value in zip(*cells, strict=True):
            number += 1
            yield LibraryRating(
                video_id=video,
                start_s=start_s,
                end_s=end_s,
                class_name=data.classes.names[category],
                value=min(1.0, max(0.0, value)),
                key=-number,
            )


def _view(rating: LibraryRating) -> RatingView:
    answer: Answer = "unsure" if rating.value is None else "yes" if rating.is_yes else "no"
    origins: tuple[Origin, ...] = get_args(Origin)
    origin: Origin = next((of for of in origins if of == rating.origin), "import")
    return RatingView(
        key=rating.key or 0,
        video=rating.video_id,
        start_s=rating.start_s,
        end_s=rating.end_s,
        class_name=rating.class_name,
        answer=answer,
        value=rating.value,
        who=rating.who,
        rated_at="" if rating.rated_at is None else _time(rating.rated_at),
        origin=origin,
    )


def _time(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat(timespec="seconds")
