"""Indexes of the leads that a board shows by their state, and of offers by their status."""

from alembic import op
from sqlalchemy import text

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Create them: without the first three, a page of a rare state reads all leads of a creator."""
    for name, condition in (
        ("ix_leads_unclaimed_by_time", "claimed_by_id IS NULL"),
        ("ix_leads_unsubmitted_by_time", "first_team_id IS NULL"),
        ("ix_leads_exhausted_by_time", "exhausted_at IS NOT NULL"),
    ):
        where = text(condition)
        newest_first = text("created_at DESC")
        op.create_index(name, "leads", ["creator_id", newest_first, "id"], postgresql_where=where, sqlite_where=where)
    op.create_index("ix_lead_offers_made_to_by_status", "lead_offers", ["user_id", "status"])
    op.create_index("ix_lead_offers_made_by_by_status", "lead_offers", ["offered_by_id", "status", "user_id"])
