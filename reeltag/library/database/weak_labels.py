"""Weak labels of whole videos, each with its source and confidence."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import delete, insert, select

from reeltag.core.errors import DataError
from reeltag.library.database.connection import Database
from reeltag.library.database.tables import VideoRow, WeakLabelRow


class LibraryLabel(NamedTuple):
    """A class that a video may have."""

    video_id: str
    class_name: str
    confidence: float = 1.0
    source: str = ""


class WeakLabelStore:
    """The weak labels of a library.

    Args:
        database: of the library.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, source: str, labels: Iterable[LibraryLabel]) -> None:
        """Replace all labels of a source; DataError where a video is not in the library."""
        with self._database.writing() as session:
            keys = dict(session.execute(select(VideoRow.id, VideoRow.key)).all())
            session.execute(delete(WeakLabelRow).where(WeakLabelRow.source == source))
            rows = dict[tuple[int, str], float]()
            for label in labels:
                if label.video_id not in keys:
                    raise DataError(f"has no video {label.video_id!r}", where=self._database.path)
                key = keys[label.video_id], label.class_name
                rows[key] = max(label.confidence, rows.get(key, 0.0))
            values = [
                {"video": key, "class_name": name, "source": source, "confidence": confidence}
                for (key, name), confidence in rows.items()
            ]
            if values:
                session.execute(insert(WeakLabelRow), values)

    def all(self) -> list[LibraryLabel]:
        """Return all labels by video, class and source."""
        query = select(
            VideoRow.id, WeakLabelRow.class_name, WeakLabelRow.confidence, WeakLabelRow.source
        ).join(VideoRow, VideoRow.key == WeakLabelRow.video)
        query = query.order_by(VideoRow.id, WeakLabelRow.class_name, WeakLabelRow.source)
        with self._database.reading() as session:
            return [LibraryLabel(*row) for row in session.execute(query)]
