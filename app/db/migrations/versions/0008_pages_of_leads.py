"""Indexes of leads in the order of pages: those that a user created, and those that a user holds, by id and by time.

They replace the indexes of the creator and the holder alone.
"""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the indexes, then drop those that they replace."""
    op.create_index("ix_leads_created_by_by_id", "leads", ["creator_id", "id"])
    op.create_index("ix_leads_created_by_by_time", "leads", ["creator_id", "created_at"])
    op.create_index("ix_leads_held_by_by_id", "leads", ["claimed_by_id", "id"])
    op.create_index("ix_leads_held_by_by_time", "leads", ["claimed_by_id", "created_at"])
    op.drop_index("ix_leads_creator_id", "leads")
    op.drop_index("ix_leads_claimed_by_id", "leads")
