"""Add webhook events, and notify workers of new ones."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
Instant = sa.DateTime(timezone=True)

# The same channel as other new work, with a payload that tells workers to look at events only.
FUNCTION = """
CREATE FUNCTION lead_offers_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('lead_offers_work', 'events'); RETURN NULL; END $$
"""
TRIGGER = """
CREATE TRIGGER events_are_made AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION lead_offers_events()
"""


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", Id, nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("payload", Text, nullable=False),
        sa.Column("happened_at", Instant, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Instant, nullable=True),
        sa.Column("sent_at", Instant, nullable=True),
        sa.Column("error", Text, nullable=True),
        sa.Column("lease", Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
    pending = sa.text("next_attempt_at IS NOT NULL")
    op.create_index("ix_events_due", "events", ["next_attempt_at"], postgresql_where=pending, sqlite_where=pending)
    if op.get_bind().dialect.name == "postgresql":
        for statement in (FUNCTION, TRIGGER):
            op.execute(statement)
