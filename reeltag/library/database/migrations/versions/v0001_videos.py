"""Videos, their streams and paths, jobs, ratings and weak labels."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "videos",
        sa.Column("key", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("mtime_ns", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("error", sa.String, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("duration_s", sa.Double),
        sa.Column("container", sa.String, nullable=False),
        sa.Column("has_picture", sa.Boolean),
        sa.Column("has_sound", sa.Boolean),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("group", sa.String, nullable=False),
        sa.Column("split", sa.String, nullable=False),
        sa.Column("shard", sa.String, nullable=False),
        sa.Column("extraction", sa.String, nullable=False),
        sa.Column("about", sa.JSON, nullable=False),
        sa.Column("added_at", sa.DateTime, nullable=False),
        sa.Column("changed_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_videos"),
        sa.UniqueConstraint("id", name="uq_videos_id"),
        sa.UniqueConstraint("content", name="uq_videos_content"),
        sa.CheckConstraint(
            "state IN ('new', 'extracted', 'error', 'missing')", name=op.f("ck_videos_state")
        ),
    )
    op.create_index("ix_videos_state", "videos", ["state"])
    op.create_index("ix_videos_group", "videos", ["group"])
    _make_tables_of_files()
    _make_tables_of_people()


def _make_tables_of_files() -> None:
    op.create_table(
        "other_paths",
        sa.Column("path", sa.String, nullable=False),
        _video("other_paths"),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("mtime_ns", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_other_paths"),
    )
    op.create_index("ix_other_paths_video", "other_paths", ["video"])
    op.create_table(
        "streams",
        _video("streams"),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("codec", sa.String, nullable=False),
        sa.Column("start_s", sa.Double, nullable=False),
        sa.Column("duration_s", sa.Double),
        sa.Column("is_used", sa.Boolean, nullable=False),
        sa.Column("problem", sa.String, nullable=False),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("rotation", sa.Integer, nullable=False),
        sa.Column("is_mirrored", sa.Boolean, nullable=False),
        sa.Column("fps", sa.Double),
        sa.Column("pixel_format", sa.String, nullable=False),
        sa.Column("is_interlaced", sa.Boolean, nullable=False),
        sa.Column("sample_rate", sa.Integer),
        sa.Column("channels", sa.Integer),
        sa.PrimaryKeyConstraint("video", "index", name="pk_streams"),
    )
    op.create_table(
        "jobs",
        sa.Column("key", sa.Integer, nullable=False),
        sa.Column("command", sa.String, nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("ended_at", sa.DateTime),
        sa.PrimaryKeyConstraint("key", name="pk_jobs"),
    )


def _make_tables_of_people() -> None:
    op.create_table(
        "ratings",
        sa.Column("key", sa.Integer, nullable=False),
        _video("ratings"),
        sa.Column("start_s", sa.Double, nullable=False),
        sa.Column("end_s", sa.Double),
        sa.Column("class_name", sa.String, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("rated_at", sa.DateTime, nullable=False),
        sa.Column(
            "replaced_by",
            sa.Integer,
            sa.ForeignKey("ratings.key", name="fk_ratings_replaced_by"),
        ),
        sa.PrimaryKeyConstraint("key", name="pk_ratings"),
        sa.CheckConstraint(
            "value IS NULL OR (value >= 0 AND value <= 1)", name=op.f("ck_ratings_value")
        ),
        sa.CheckConstraint(
            "start_s >= 0 AND (end_s IS NULL OR end_s > start_s)", name=op.f("ck_ratings_window")
        ),
    )
    op.create_index("ix_ratings_video", "ratings", ["video"])


def _video(table: str) -> "sa.Column[int]":
    key = sa.ForeignKey("videos.key", ondelete="CASCADE", name=f"fk_{table}_video")
    return sa.Column("video", sa.Integer, key, nullable=False)
