"""Create the first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
Word = sa.String(32)
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_people_and_teams()
    create_leads()
    create_offers()
    create_rollouts()


def primary(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}")


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def newest_first(name: str, column: str, **options: Any) -> None:
    """SQLite indexes do not support NULLS LAST, but nulls sort last in descending order anyway."""
    nulls = " NULLS LAST" if op.get_bind().dialect.name == "postgresql" else ""
    op.create_index(name, "lead_offers", [column, sa.text(f"notify_at DESC{nulls}"), "id"], **options)


def create_people_and_teams() -> None:
    op.create_table(
        "users",
        sa.Column("id", Id, nullable=False),
        sa.Column("first_name", Text, nullable=False),
        sa.Column("last_name", Text, nullable=False),
        sa.Column("email", Text, nullable=True),
        sa.Column("phone", Text, nullable=True),
        sa.Column("timezone", Text, nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("away_until", Instant, nullable=True),
        sa.Column("quiet_hours_start", Text, nullable=True),
        sa.Column("quiet_hours_end", Text, nullable=True),
        primary("users", "id"),
        unique("users", "email"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "teams",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("creator_id", Id, nullable=False),
        sa.Column("order_method", Word, nullable=False),
        sa.Column("mins_until_next_alert", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant, nullable=True),
        primary("teams", "id"),
        reference("teams", "creator_id", "users"),
        sqlite_autoincrement=True,
    )
    index("teams", "creator_id")
    op.create_table(
        "team_zipcodes",
        sa.Column("team_id", Id, nullable=False),
        sa.Column("zipcode", Text, nullable=False),
        primary("team_zipcodes", "team_id", "zipcode"),
        reference("team_zipcodes", "team_id", "teams"),
    )
    index("team_zipcodes", "zipcode")
    op.create_table(
        "team_members",
        sa.Column("id", Id, nullable=False),
        sa.Column("team_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("request_status", Word, nullable=False),
        primary("team_members", "id"),
        unique("team_members", "team_id", "user_id"),
        reference("team_members", "team_id", "teams"),
        reference("team_members", "user_id", "users"),
        sqlite_autoincrement=True,
    )
    index("team_members", "user_id")
    op.create_table(
        "distribution_options",
        sa.Column("id", Id, nullable=False),
        sa.Column("team_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("mins_until_lead_offer", sa.Integer(), nullable=False),
        sa.Column("assign_automatically", sa.Boolean(), nullable=False),
        sa.Column("has_call_alert", sa.Boolean(), nullable=False),
        sa.Column("has_text_alert", sa.Boolean(), nullable=False),
        sa.Column("has_email_alert", sa.Boolean(), nullable=False),
        primary("distribution_options", "id"),
        unique("distribution_options", "team_id", "user_id"),
        reference("distribution_options", "team_id", "teams"),
        reference("distribution_options", "user_id", "users"),
        sqlite_autoincrement=True,
    )
    index("distribution_options", "user_id")


def create_leads() -> None:
    op.create_table(
        "contacts",
        sa.Column("id", Id, nullable=False),
        sa.Column("owner_id", Id, nullable=False),
        sa.Column("first_name", Text, nullable=True),
        sa.Column("last_name", Text, nullable=True),
        sa.Column("email", Text, nullable=True),
        sa.Column("mobile_phone", Text, nullable=True),
        primary("contacts", "id"),
        reference("contacts", "owner_id", "users"),
        sqlite_autoincrement=True,
    )
    index("contacts", "owner_id")
    op.create_table(
        "lead_sources",
        sa.Column("id", Id, nullable=False),
        sa.Column("creator_id", Id, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("name_key", Text, nullable=False),
        primary("lead_sources", "id"),
        unique("lead_sources", "creator_id", "name_key"),
        reference("lead_sources", "creator_id", "users"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "lead_routes",
        sa.Column("id", Id, nullable=False),
        sa.Column("creator_id", Id, nullable=False),
        sa.Column("lead_source_id", Id, nullable=True),
        sa.Column("distribution_target", Word, nullable=False),
        sa.Column("team_selection_method", Word, nullable=True),
        sa.Column("team_id", Id, nullable=True),
        sa.Column("lead_type", Text, nullable=True),
        sa.Column("lead_type_key", Text, nullable=False),
        primary("lead_routes", "id"),
        unique("lead_routes", "creator_id", "lead_source_id", "lead_type_key"),
        reference("lead_routes", "creator_id", "users"),
        reference("lead_routes", "lead_source_id", "lead_sources"),
        reference("lead_routes", "team_id", "teams"),
        sqlite_autoincrement=True,
    )
    index("lead_routes", "lead_source_id")
    index("lead_routes", "team_id")
    op.create_table(
        "leads",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("creator_id", Id, nullable=False),
        sa.Column("source_id", Id, nullable=True),
        sa.Column("distribution_target", Word, nullable=False),
        sa.Column("team_selection_method", Word, nullable=True),
        sa.Column("team_id", Id, nullable=True),
        sa.Column("zipcode", Text, nullable=True),
        sa.Column("type", Text, nullable=True),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("claimed_by_id", Id, nullable=True),
        sa.Column("claimed_at", Instant, nullable=True),
        sa.Column("claimed_via", Word, nullable=True),
        primary("leads", "id"),
        reference("leads", "contact_id", "contacts"),
        reference("leads", "creator_id", "users"),
        reference("leads", "source_id", "lead_sources"),
        reference("leads", "team_id", "teams"),
        reference("leads", "claimed_by_id", "users"),
        sqlite_autoincrement=True,
    )
    index("leads", "claimed_by_id")
    index("leads", "contact_id")
    index("leads", "creator_id")
    index("leads", "source_id")
    index("leads", "team_id")


def create_offers() -> None:
    op.create_table(
        "lead_offers",
        sa.Column("id", Id, nullable=False),
        sa.Column("lead_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=True),
        sa.Column("team_id", Id, nullable=True),
        sa.Column("offered_by_id", Id, nullable=False),
        sa.Column("notify_at", Instant, nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("assign_automatically", sa.Boolean(), nullable=False),
        sa.Column("has_call_alert", sa.Boolean(), nullable=True),
        sa.Column("has_text_alert", sa.Boolean(), nullable=True),
        sa.Column("has_email_alert", sa.Boolean(), nullable=True),
        sa.Column("status", Word, nullable=False),
        sa.Column("end_reason", Word, nullable=True),
        primary("lead_offers", "id"),
        unique("lead_offers", "lead_id", "user_id"),
        reference("lead_offers", "lead_id", "leads"),
        reference("lead_offers", "user_id", "users"),
        reference("lead_offers", "team_id", "teams"),
        reference("lead_offers", "offered_by_id", "users"),
        sqlite_autoincrement=True,
    )
    newest_first("ix_lead_offers_made_to", "user_id")
    newest_first("ix_lead_offers_made_by", "offered_by_id", postgresql_include=["user_id"])
    op.create_index("ix_lead_offers_made_to_by_id", "lead_offers", ["user_id", "id"])
    op.create_index(
        "ix_lead_offers_made_by_by_id", "lead_offers", ["offered_by_id", "id"], postgresql_include=["user_id"]
    )
    index("lead_offers", "team_id")
    op.create_table(
        "deliveries",
        sa.Column("id", Id, nullable=False),
        sa.Column("offer_id", Id, nullable=False),
        sa.Column("channel", Word, nullable=False),
        sa.Column("status", Word, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Instant, nullable=True),
        sa.Column("sent_at", Instant, nullable=True),
        sa.Column("error", Text, nullable=True),
        primary("deliveries", "id"),
        reference("deliveries", "offer_id", "lead_offers"),
        sqlite_autoincrement=True,
    )
    pending = sa.text("next_attempt_at IS NOT NULL")
    op.create_index(
        "ix_deliveries_due", "deliveries", ["next_attempt_at"], postgresql_where=pending, sqlite_where=pending
    )
    index("deliveries", "offer_id")


def create_rollouts() -> None:
    op.create_table(
        "lead_rollouts",
        sa.Column("id", Id, nullable=False),
        sa.Column("lead_id", Id, nullable=False),
        sa.Column("team_id", Id, nullable=False),
        sa.Column("team_selection_method", Word, nullable=False),
        sa.Column("submitted_at", Instant, nullable=False),
        primary("lead_rollouts", "id"),
        reference("lead_rollouts", "lead_id", "leads"),
        reference("lead_rollouts", "team_id", "teams"),
        sqlite_autoincrement=True,
    )
    index("lead_rollouts", "lead_id")
    index("lead_rollouts", "team_id")
    op.create_table(
        "rollout_offers",
        sa.Column("rollout_id", Id, nullable=False),
        sa.Column("offer_id", Id, nullable=False),
        primary("rollout_offers", "rollout_id", "offer_id"),
        reference("rollout_offers", "rollout_id", "lead_rollouts"),
        reference("rollout_offers", "offer_id", "lead_offers"),
    )
    index("rollout_offers", "offer_id")
    op.create_table(
        "rollout_skips",
        sa.Column("rollout_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("reason", Word, nullable=False),
        primary("rollout_skips", "rollout_id", "user_id"),
        reference("rollout_skips", "rollout_id", "lead_rollouts"),
        reference("rollout_skips", "user_id", "users"),
    )
    index("rollout_skips", "user_id")
