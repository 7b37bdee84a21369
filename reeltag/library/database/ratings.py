"""Ratings with their history: none is lost, the last of a window and class counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from reeltag.core.errors import DataError
from reeltag.library.database.connection import Database
from reeltag.library.database.tables import RatingRow, VideoRow


@dataclass(frozen=True, kw_only=True)
class LibraryRating:
    """What a person says of a class in a window of a video.

    Attributes:
        video_id: id of the video.
        start_s: of the window in seconds.
        end_s: of the window; None, with start_s = 0: the whole video.
        class_name: of the class.
        value: in [0, 1]; None withdraws the rating before.
        who: rates.
        rated_at: UTC; None = now.
        counts: whether no later rating replaces it.
    """

    video_id: str
    start_s: float
    end_s: float | None
    class_name: str
    value: float | None
    who: str = ""
    rated_at: datetime | None = None
    counts: bool = True


class RatingStore:
    """The ratings of a library.

    Args:
        database: of the library.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, ratings: Iterable[LibraryRating]) -> None:
        """Add ratings, all or none; each replaces the one of the same window, class and person.

        Raises:
            DataError: a video is not in the library.
        """
        with self._database.writing() as session:
            for rating in ratings:
                video = session.scalar(select(VideoRow.key).where(VideoRow.id == rating.video_id))
                if video is None:
                    raise DataError(f"has no video {rating.video_id!r}", where=self._database.path)
                row = RatingRow(
                    video=video,
                    start_s=rating.start_s,
                    end_s=rating.end_s,
                    class_name=rating.class_name,
                    value=rating.value,
                    who=rating.who,
                )
                if rating.rated_at is not None:
                    row.rated_at = rating.rated_at
                session.add(row)
                session.flush()
                same = (
                    (RatingRow.video == video)
                    & (RatingRow.start_s == rating.start_s)
                    & RatingRow.end_s.is_not_distinct_from(rating.end_s)
                    & (RatingRow.class_name == rating.class_name)
                    & (RatingRow.who == rating.who)
                    & (RatingRow.key != row.key)
                )
                session.execute(update(RatingRow).where(same).values(replaced_by=row.key))

    def all(self, *, history: bool = False) -> list[LibraryRating]:
        """Return the ratings that count, by video and time.

        Args:
            history: those that were replaced or withdrawn too, in the order they were made.
        """
        query = select(RatingRow, VideoRow.id).join(VideoRow, VideoRow.key == RatingRow.video)
        if history:
            query = query.order_by(RatingRow.key)
        else:
            query = query.where(RatingRow.replaced_by.is_(None), RatingRow.value.is_not(None))
            query = query.order_by(VideoRow.id, RatingRow.start_s, RatingRow.class_name)
        with self._database.reading() as session:
            return [
                LibraryRating(
                    video_id=video_id,
                    start_s=row.start_s,
                    end_s=row.end_s,
                    class_name=row.class_name,
                    value=row.value,
                    who=row.who,
                    rated_at=row.rated_at,
                    counts=row.replaced_by is None and row.value is not None,
                )
                for row, video_id in session.execute(query)
            ]
