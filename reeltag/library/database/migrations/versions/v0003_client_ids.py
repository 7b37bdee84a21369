"""The name that a program gave a rating, so that one that is sent again is stored once."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; ratings that are there have no such name."""
    op.execute("ALTER TABLE ratings ADD COLUMN client_id VARCHAR")
    op.create_index("ix_ratings_client_id", "ratings", ["client_id"], unique=True)
