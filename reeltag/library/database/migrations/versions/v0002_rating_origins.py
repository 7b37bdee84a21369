"""Where a rating was asked for, with which chance, and whether the person was unsure."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; ratings that are there were imported."""
    op.execute("ALTER TABLE ratings ADD COLUMN origin VARCHAR DEFAULT 'import' NOT NULL")
    op.execute(
        "ALTER TABLE ratings ADD COLUMN chance DOUBLE CONSTRAINT ck_ratings_chance "
        "CHECK (chance IS NULL OR (chance > 0 AND chance <= 1))"
    )
    op.execute(
        "ALTER TABLE ratings ADD COLUMN is_unsure BOOLEAN DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_ratings_unsure CHECK (is_unsure = 0 OR value IS NULL)"
    )
