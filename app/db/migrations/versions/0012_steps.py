"""Add round robin with weights, caps and limits, the contact's agent, and the team that a lead goes on to."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)

# 30 seconds are the longest sleep of a worker, which looks later ends up by itself then. A server's clock may also be
# ahead of the database's by some milliseconds.
WAKE_UP = """
CREATE TRIGGER a_step_is_over AFTER UPDATE OF gives_up_at ON leads FOR EACH ROW
WHEN (NEW.gives_up_at <= now() + interval '30 seconds' AND NEW.gives_up_at IS DISTINCT FROM OLD.gives_up_at)
EXECUTE FUNCTION lead_offers_work()
"""


def upgrade() -> None:
    """Add columns that servers of an earlier version, which still run, need not know."""
    op.add_column("teams", sa.Column("members_per_lead", sa.Integer(), nullable=True))
    op.add_column("teams", sa.Column("keeps_contacts", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("teams", sa.Column("turn_mark", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    add_reference("teams", "next_team_id", "teams")
    op.create_index("ix_teams_next_team_id", "teams", ["next_team_id"])
    op.add_column("teams", sa.Column("mins_until_next_team", sa.Integer(), nullable=True))
    op.add_column(
        "distribution_options", sa.Column("weight", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    op.add_column("distribution_options", sa.Column("max_leads_per_day", sa.Integer(), nullable=True))
    op.create_table(
        "turns",
        sa.Column("team_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("last_taken_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("team_id", "user_id", name="pk_turns"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_turns_team_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_turns_user_id"),
    )
    op.create_index("ix_turns_user_id", "turns", ["user_id"])

    op.add_column("leads", sa.Column("ended_step_id", Id, nullable=True))
    op.add_column("lead_rollouts", sa.Column("cause", sa.String(32), server_default="SUBMITTED", nullable=False))
    add_reference("lead_rollouts", "turn_user_id", "users")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(WAKE_UP)


def add_reference(table: str, column: str, target: str) -> None:
    """SQLite takes a reference to a table that has rows only with the column, and Alembic writes it apart."""
    kind = "BIGINT" if op.get_bind().dialect.name == "postgresql" else "INTEGER"
    reference = f"CONSTRAINT fk_{table}_{column} REFERENCES {target} (id)"
    op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} {reference}")
