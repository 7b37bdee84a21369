"""Ratings with their history: none is lost, the last of a window, class and person counts."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from reeltag.core.errors import DataError
from reeltag.library.database.connection import Database
from reeltag.library.database.tables import RatingRow, VideoRow

_YES = 0.5  # a value above it


@dataclass(frozen=True, kw_only=True)
class LibraryRating:
    """What a person says of a class in a window of a video.

    Attributes:
        video_id: id of the video.
        start_s: of the window in seconds.
        end_s: of the window; None, with start_s = 0: the whole video.
        class_name: of the class.
        value: in [0, 1]; None = unsure, or else it withdraws the rating before.
        who: rates.
        rated_at: UTC; None = now.
        counts: whether no later rating replaces it, and it is not withdrawn.
        origin: where it was asked for: "queue", "timeline", "search" or "import".
        chance: in (0, 1] that the window was drawn with; None = it was not drawn.
        is_unsure: whether the person could not say.
        client_id: the name that the program gave it that sends it: of one that is sent again
            nothing is stored. None = none.
        key: of the rating; None = not stored yet.
    """

    video_id: str
    start_s: float
    end_s: float | None
    class_name: str
    value: float | None
    who: str = ""
    rated_at: datetime | None = None
    counts: bool = True
    origin: str = "import"
    chance: float | None = None
    is_unsure: bool = False
    client_id: str | None = None
    key: int | None = None

    @property
    def is_yes(self) -> bool:
        """Whether the class is there, by this person."""
        return self.value is not None and self.value > _YES


class RatingStore:
    """The ratings of a library. What is written is on the disk before a method returns.

    Args:
        database: of the library.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, ratings: Iterable[LibraryRating]) -> list[int]:
        """Add ratings, all or none; each replaces the one of the same window, class and person.

        One whose `client_id` is stored already is not stored again, whatever it says.

        Args:
            ratings: of videos of the library.

        Returns:
            key of each; of one that is stored already, the key that it has.

        Raises:
            DataError: a video is not in the library, or a value, window or chance is not possible.
        """
        keys = list[int]()
        with self._database.writing(durable=True) as session:
            for rating in ratings:
                video = session.scalar(select(VideoRow.key).where(VideoRow.id == rating.video_id))
                if video is None:
                    raise DataError(f"has no video {rating.video_id!r}", where=self._database.path)
                known = _key_of(session, rating.client_id)
                keys.append(_add(session, _row(rating, video)) if known is None else known)
        return keys

    def undo(self, key: int) -> LibraryRating | None:
        """Take a rating back: the one that it replaced counts again. Both stay in the history.

        Args:
            key: of a rating that counts.

        Returns:
            the rating that counts now; None = there is none.

        Raises:
            DataError: there is no such rating, or it does not count any more.
        """
        with self._database.writing(durable=True) as session:
            row = session.get(RatingRow, key)
            if row is None:
                raise DataError(f"has no rating {key}", where=self._database.path)
            if row.replaced_by is not None or not (row.is_unsure or row.value is not None):
                raise DataError(
                    f"rating {key} does not count any more: there is a later one",
                    where=self._database.path,
                )
            replaced = (RatingRow.replaced_by == key) & (RatingRow.key < key)
            last = select(RatingRow).where(replaced).order_by(RatingRow.key.desc()).limit(1)
            before = session.scalar(last)
            if before is None:
                before = _withdrawal(row)
                session.add(before)
                session.flush()
            before.replaced_by, row.replaced_by = None, before.key
            session.flush()
            if before.value is None and not before.is_unsure:
                return None
            video_id = session.scalar(select(VideoRow.id).where(VideoRow.key == row.video))
            return _rating(before, video_id or "")

    def all(self, *, history: bool = False, unsure: bool = False) -> list[LibraryRating]:
        """Return the ratings that count and have a value, by video and time.

        Args:
            history: those that were replaced or withdrawn too, in the order they were made.
            unsure: those that count where the person was unsure too.
        """
        query = select(RatingRow, VideoRow.id).join(VideoRow, VideoRow.key == RatingRow.video)
        if history:
            query = query.order_by(RatingRow.key)
        else:
            answers = [RatingRow.value.is_not(None), *([RatingRow.is_unsure] if unsure else [])]
            query = query.where(RatingRow.replaced_by.is_(None), or_(*answers))
            query = query.order_by(VideoRow.id, RatingRow.start_s, RatingRow.class_name)
        return self._read(query)

    def get(self, key: int) -> LibraryRating:
        """Return a rating, whether it counts or not; DataError where there is none."""
        query = select(RatingRow, VideoRow.id).join(VideoRow, VideoRow.key == RatingRow.video)
        found = self._read(query.where(RatingRow.key == key))
        if not found:
            raise DataError(f"has no rating {key}", where=self._database.path)
        return found[0]

    def last_key(self) -> int:
        """Return the key of the last rating that was made; 0 = there is none."""
        with self._database.reading() as session:
            return session.scalar(select(func.max(RatingRow.key))) or 0

    def disagreements(self) -> list[list[LibraryRating]]:
        """Return the ratings of each window and class that one person says yes to, and one no."""
        same = defaultdict[object, list[LibraryRating]](list)
        for rating in self.all():
            ends = rating.start_s, rating.end_s
            same[rating.video_id, *ends, rating.class_name].append(rating)
        return [some for some in same.values() if len({rating.is_yes for rating in some}) > 1]

    def _read(self, query: Select[RatingRow, str]) -> list[LibraryRating]:
        with self._database.reading() as session:
            return [_rating(row, video_id) for row, video_id in session.execute(query)]


def _key_of(session: Session, client_id: str | None) -> int | None:
    """Return the key of the rating that a program has sent under a name; None = it has not."""
    if client_id is None:
        return None
    return session.scalar(select(RatingRow.key).where(RatingRow.client_id == client_id))


def _add(session: Session, row: RatingRow) -> int:
    """Add a row that replaces the one that counts; return its key."""
    session.add(row)
    session.flush()
    same = (
        (RatingRow.video == row.video)
        & (RatingRow.start_s == row.start_s)
        & RatingRow.end_s.is_not_distinct_from(row.end_s)
        & (RatingRow.class_name == row.class_name)
        & (RatingRow.who == row.who)
        & RatingRow.replaced_by.is_(None)
        & (RatingRow.key != row.key)
    )
    session.execute(update(RatingRow).where(same).values(replaced_by=row.key))
    return row.key


def _row(rating: LibraryRating, video: int) -> RatingRow:
    row = RatingRow(
        video=video,
        start_s=rating.start_s,
        end_s=rating.end_s,
        class_name=rating.class_name,
        value=rating.value,
        who=rating.who,
        origin=rating.origin,
        chance=rating.chance,
        is_unsure=rating.is_unsure,
        client_id=rating.client_id,
    )
    if rating.rated_at is not None:
        row.rated_at = rating.rated_at
    return row


def _withdrawal(row: RatingRow) -> RatingRow:
    """Return a rating that says nothing of the same window, class and person."""
    return RatingRow(
        video=row.video,
        start_s=row.start_s,
        end_s=row.end_s,
        class_name=row.class_name,
        value=None,
        who=row.who,
        origin=row.origin,
    )


def _rating(row: RatingRow, video_id: str) -> LibraryRating:
    return LibraryRating(
        video_id=video_id,
        start_s=row.start_s,
        end_s=row.end_s,
        class_name=row.class_name,
        value=row.value,
        who=row.who,
        rated_at=row.rated_at,
        counts=row.replaced_by is None and (row.value is not None or row.is_unsure),
        origin=row.origin,
        chance=row.chance,
        is_unsure=row.is_unsure,
        client_id=row.client_id,
        key=row.key,
    )
