"""Add invitations that wait until their address has an account."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0016"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)
Text = sa.String().with_variant(sa.String(collation="C"), "postgresql")

TRIGGER = """
CREATE TRIGGER work_is_made AFTER INSERT ON waiting_invitations
FOR EACH STATEMENT EXECUTE FUNCTION lead_offers_work()
"""


def upgrade() -> None:
    """Add a table that servers of an earlier version, which still run, need not know."""
    op.create_table(
        "waiting_invitations",
        sa.Column("id", Id, nullable=False),
        sa.Column("team_id", Id, nullable=False),
        sa.Column("inviter_id", Id, nullable=False),
        sa.Column("email", Text, nullable=False),
        sa.Column("invited_at", Instant, nullable=False),
        sa.Column("mail_at", Instant, nullable=False),
        sa.Column("removed_at", Instant, nullable=True),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Instant, nullable=True),
        sa.Column("sent_at", Instant, nullable=True),
        sa.Column("error", Text, nullable=True),
        sa.Column("lease", Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_waiting_invitations"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_waiting_invitations_team_id"),
        sa.ForeignKeyConstraint(["inviter_id"], ["users.id"], name="fk_waiting_invitations_inviter_id"),
        sqlite_autoincrement=True,
    )
    is_waiting, is_due = sa.text("removed_at IS NULL"), sa.text("next_attempt_at IS NOT NULL")
    op.create_index(
        "uq_waiting_invitations_waiting",
        "waiting_invitations",
        ["team_id", "email"],
        unique=True,
        postgresql_where=is_waiting,
        sqlite_where=is_waiting,
    )
    op.create_index("ix_waiting_invitations_inviter_by_time", "waiting_invitations", ["inviter_id", "invited_at"])
    op.create_index(
        "ix_waiting_invitations_due",
        "waiting_invitations",
        ["next_attempt_at"],
        postgresql_where=is_due,
        sqlite_where=is_due,
    )
    op.create_index("ix_waiting_invitations_team_id", "waiting_invitations", ["team_id"])
    op.create_index("ix_waiting_invitations_email", "waiting_invitations", ["email"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(TRIGGER)
