"""Tables of `library.sqlite`: what files are, and how people rated them.

A change here needs a migration (`migrations/versions/`), which a test compares with these classes.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

VideoState = Literal["new", "extracted", "error", "missing"]
FEATURES_ONLY = "record:"  # content of a video that has no file begins so; its id follows
STATES: tuple[VideoState, ...] = ("new", "extracted", "error", "missing")


def now() -> datetime:
    """Return the time, UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None)


class PathText(TypeDecorator[Path]):
    """A path as text; one that is no UTF-8, as some old file names, as its bytes."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Path | None, dialect: Dialect) -> str | bytes | None:
        """Return what SQLite stores."""
        if value is None:
            return None
        try:
            return str(value).encode("utf-8").decode("utf-8")
        except UnicodeEncodeError:
            return os.fsencode(value)

    def process_result_value(self, value: str | bytes | None, dialect: Dialect) -> Path | None:
        """Return the path."""
        return None if value is None else Path(os.fsdecode(value))


class LibraryBase(MappedAsDataclass, DeclarativeBase):
    """What all tables have in common: names of constraints, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        Path: PathText,
        float: Double,
        dict[str, Any]: JSON,
        VideoState: String,
    }


class VideoRow(LibraryBase, kw_only=True):
    """A video or sound file, by its content.

    Attributes:
        key: number in this library.
        id: of its record in the shards; readable, decided once.
        content: see `media.finding.content_id`; of a video that is known by its record in the
            shards alone, `FEATURES_ONLY` and its id.
        path: of the file, empty where there is none; copies are in `other_paths`.
        size: bytes of the file.
        mtime_ns: when it was last changed.
        state: "new", "extracted", "error" or "missing".
        error: why nothing of it could be extracted.
        note: what a person should know, such as errors midway.
        duration_s: seconds.
        container: name of its format.
        has_picture: whether it has a stream of pictures; None = not known yet.
        has_sound: whether it has a stream of sound.
        frames: in its record.
        group: of near copies, which share a split.
        split: that it is in; "" = not decided.
        shard: that holds its record; "" = none.
        extraction: key of the encoders and rate.
        about: what else is known.
        added_at: UTC.
        changed_at: UTC, when the state last changed.
    """

    __tablename__ = "videos"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index("ix_videos_state", "state"),
        Index("ix_videos_group", "group"),
    )

    key: Mapped[int] = mapped_column(primary_key=True, init=False, default=None)
    id: Mapped[str] = mapped_column(unique=True)
    content: Mapped[str] = mapped_column(unique=True)
    path: Mapped[Path]
    size: Mapped[int]
    mtime_ns: Mapped[int]
    state: Mapped[VideoState] = mapped_column(default="new")
    error: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
    duration_s: Mapped[float | None] = mapped_column(default=None)
    container: Mapped[str] = mapped_column(default="")
    has_picture: Mapped[bool | None] = mapped_column(default=None)
    has_sound: Mapped[bool | None] = mapped_column(default=None)
    frames: Mapped[int] = mapped_column(default=0)
    group: Mapped[str] = mapped_column(default="")
    split: Mapped[str] = mapped_column(default="")
    shard: Mapped[str] = mapped_column(default="")
    extraction: Mapped[str] = mapped_column(default="")
    about: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    added_at: Mapped[datetime] = mapped_column(default_factory=now)
    changed_at: Mapped[datetime] = mapped_column(default_factory=now)

    @property
    def has_file(self) -> bool:
        """Whether it came from a file, which may be missing."""
        return not self.content.startswith(FEATURES_ONLY)


def of_video() -> Mapped[int]:
    """Return a column that names a video; what belongs to it goes with it."""
    return mapped_column(ForeignKey("videos.key", ondelete="CASCADE"), index=True)


class PathRow(LibraryBase, kw_only=True):
    """A further file with the content of a video."""

    __tablename__ = "other_paths"

    path: Mapped[Path] = mapped_column(primary_key=True)
    video: Mapped[int] = of_video()
    size: Mapped[int]
    mtime_ns: Mapped[int]


class StreamRow(LibraryBase, kw_only=True):
    """A stream of a video; fields as those of `media.media_info.MediaStream`."""

    __tablename__ = "streams"

    video: Mapped[int] = mapped_column(
        ForeignKey("videos.key", ondelete="CASCADE"), primary_key=True
    )
    index: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    codec: Mapped[str]
    start_s: Mapped[float]
    duration_s: Mapped[float | None]
    is_used: Mapped[bool]
    problem: Mapped[str]
    width: Mapped[int | None]
    height: Mapped[int | None]
    rotation: Mapped[int]
    is_mirrored: Mapped[bool]
    fps: Mapped[float | None]
    pixel_format: Mapped[str]
    is_interlaced: Mapped[bool]
    sample_rate: Mapped[int | None]
    channels: Mapped[int | None]


class JobRow(LibraryBase, kw_only=True):
    """A command that worked on the library; one without an end was interrupted.

    Attributes:
        key: number of the job.
        command: that was typed.
        counts: what it did.
        started_at: UTC.
        ended_at: UTC; None = it still runs, or was killed.
    """

    __tablename__ = "jobs"

    key: Mapped[int] = mapped_column(primary_key=True, init=False, default=None)
    command: Mapped[str]
    counts: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    started_at: Mapped[datetime] = mapped_column(default_factory=now)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)


class RatingRow(LibraryBase, kw_only=True):
    """What a person said of a class in a window of a video; none is ever overwritten.

    Attributes:
        key: number of the rating.
        video: key of the video.
        start_s: of the window, in seconds.
        end_s: of the window; None, with start_s = 0: the whole video.
        class_name: of the class.
        value: in [0, 1]; None = unsure or withdrawn.
        who: rated it.
        rated_at: UTC.
        origin: where it was asked for: "queue", "timeline", "search" or "import".
        chance: in (0, 1] that the window was drawn with; None = it was not drawn.
        is_unsure: whether the person could not say.
        replaced_by: key of the rating that counts instead; None = this one counts.
        client_id: the name that the program gave it that sent it; None = none.
    """

    __tablename__ = "ratings"
    __table_args__ = (
        CheckConstraint("value IS NULL OR (value >= 0 AND value <= 1)", name="value"),
        CheckConstraint("start_s >= 0 AND (end_s IS NULL OR end_s > start_s)", name="window"),
        CheckConstraint("chance IS NULL OR (chance > 0 AND chance <= 1)", name="chance"),
        CheckConstraint("is_unsure = 0 OR value IS NULL", name="unsure"),
        Index("ix_ratings_client_id", "client_id", unique=True),
    )

    key: Mapped[int] = mapped_column(primary_key=True, init=False, default=None)
    video: Mapped[int] = of_video()
    start_s: Mapped[float]
    end_s: Mapped[float | None]
    class_name: Mapped[str]
    value: Mapped[float | None]
    who: Mapped[str] = mapped_column(default="")
    rated_at: Mapped[datetime] = mapped_column(default_factory=now)
    origin: Mapped[str] = mapped_column(default="import", server_default="import")
    chance: Mapped[float | None] = mapped_column(default=None)
    is_unsure: Mapped[bool] = mapped_column(default=False, server_default="0")
    replaced_by: Mapped[int | None] = mapped_column(ForeignKey("ratings.key"), default=None)
    client_id: Mapped[str | None] = mapped_column(default=None)
