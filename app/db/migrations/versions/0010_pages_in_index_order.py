"""Indexes in the order of the pages of every list, in place of those of the owner alone."""

from typing import Any

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"

LIVE = text("deleted_at IS NULL")


def upgrade() -> None:
    """Create the indexes, then drop those that they replace."""
    newest_first = "DESC NULLS LAST" if op.get_bind().dialect.name == "postgresql" else "DESC"
    claimed_at, created_at = text(f"claimed_at {newest_first}"), text("created_at DESC")

    for name in ("ix_leads_created_by_by_time", "ix_leads_held_by_by_time"):
        op.drop_index(name, "leads")
    op.create_index("ix_leads_created_by_by_time", "leads", ["creator_id", created_at, "id"])
    op.create_index("ix_leads_created_by_by_claim", "leads", ["creator_id", claimed_at, "id"])
    op.create_index("ix_leads_held_by_by_time", "leads", ["claimed_by_id", created_at, "id"])
    op.create_index("ix_leads_held_by_by_claim", "leads", ["claimed_by_id", claimed_at, "id"])
    op.create_index("ix_lead_offers_made_to_by_lead", "lead_offers", ["user_id", "lead_id"])
    op.create_index("ix_lead_offers_of_lead_by_id", "lead_offers", ["lead_id", "id"])
    op.create_index("ix_lead_offers_of_lead_by_time", "lead_offers", ["lead_id", "notify_at", "id"])

    _of_live_teams("ix_teams_created_by_by_id", "id")
    _of_live_teams("ix_teams_created_by_by_name", "name", "id")
    _of_live_teams("ix_teams_created_by_by_time", created_at, "id")
    op.create_index("ix_team_members_team_by_id", "team_members", ["team_id", "id"])
    op.create_index("ix_team_members_user_by_id", "team_members", ["user_id", "id"])
    op.create_index("ix_team_members_user_by_team", "team_members", ["user_id", "team_id", "id"])
    op.create_index("ix_distribution_options_team_by_id", "distribution_options", ["team_id", "id"])
    op.create_index("ix_distribution_options_team_by_rank", "distribution_options", ["team_id", "rank", "id"])

    op.create_index("ix_contacts_owner_by_id", "contacts", ["owner_id", "id"])
    op.create_index("ix_contacts_owner_by_first_name", "contacts", ["owner_id", "first_name", "id"])
    op.create_index("ix_contacts_owner_by_last_name", "contacts", ["owner_id", "last_name", "id"])
    op.create_index("ix_lead_sources_created_by_by_id", "lead_sources", ["creator_id", "id"])
    op.create_index("ix_lead_sources_created_by_by_name", "lead_sources", ["creator_id", "name", "id"])
    op.create_index("ix_lead_routes_created_by_by_id", "lead_routes", ["creator_id", "id"])

    op.drop_index("ix_teams_creator_id", "teams")
    op.drop_index("ix_team_members_user_id", "team_members")
    op.drop_index("ix_contacts_owner_id", "contacts")


def _of_live_teams(name: str, *order: Any) -> None:
    op.create_index(name, "teams", ["creator_id", *order], postgresql_where=LIVE, sqlite_where=LIVE)
