"""On SQLite, the index of the offers that a user has made holds the users to whom, as it does on PostgreSQL."""

from alembic import op
from sqlalchemy import text

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Without that column, counting an inbox reads every row of it."""
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_lead_offers_made_by", "lead_offers")
        newest_first = text("notify_at DESC")
        op.create_index("ix_lead_offers_made_by", "lead_offers", ["offered_by_id", newest_first, "id", "user_id"])
