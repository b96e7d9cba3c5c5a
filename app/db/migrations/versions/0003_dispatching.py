"""Add leases of deliveries and the exhaustion of rollouts, and notify workers of new work."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
Instant = sa.DateTime(timezone=True)

WANTS_ATTENTION = """
status = 'SCHEDULED' AND (assign_automatically OR NOT (coalesce(has_call_alert, false)
OR coalesce(has_text_alert, false) OR coalesce(has_email_alert, false))) OR status = 'SENT' AND held_until IS NOT NULL
"""

# PostgreSQL sends equal notifications of one transaction once, after the commit.
WORK = """
CREATE FUNCTION lead_offers_work() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('lead_offers_work', ''); RETURN NULL; END $$
"""
TRIGGERS = (
    "CREATE TRIGGER work_is_made AFTER INSERT ON deliveries FOR EACH STATEMENT EXECUTE FUNCTION lead_offers_work()",
    # Only work that becomes due earlier, not retries that a worker schedules.
    """CREATE TRIGGER work_comes_earlier AFTER UPDATE OF next_attempt_at ON deliveries FOR EACH ROW
    WHEN (OLD.lease IS NULL AND NEW.lease IS NULL AND NEW.next_attempt_at < OLD.next_attempt_at)
    EXECUTE FUNCTION lead_offers_work()""",
    "CREATE TRIGGER work_is_offered AFTER INSERT ON lead_offers FOR EACH STATEMENT EXECUTE FUNCTION lead_offers_work()",
    """CREATE TRIGGER work_moves AFTER UPDATE OF notify_at, held_until ON lead_offers FOR EACH ROW
    WHEN (coalesce(NEW.held_until, NEW.notify_at) < coalesce(OLD.held_until, OLD.notify_at))
    EXECUTE FUNCTION lead_offers_work()""",
)


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("lease", Text, nullable=True))
    op.add_column("leads", sa.Column("watched_since", Instant, nullable=True))
    op.add_column("leads", sa.Column("exhausted_at", Instant, nullable=True))
    create_notices()
    op.create_index(
        "ix_lead_offers_attention",
        "lead_offers",
        [sa.text("coalesce(held_until, notify_at)")],
        postgresql_where=sa.text(WANTS_ATTENTION),
        sqlite_where=sa.text(WANTS_ATTENTION),
    )
    if op.get_bind().dialect.name == "postgresql":
        for statement in (WORK, *TRIGGERS):
            op.execute(statement)


def create_notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", Id, nullable=False),
        sa.Column("lead_id", Id, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Instant, nullable=True),
        sa.Column("sent_at", Instant, nullable=True),
        sa.Column("error", Text, nullable=True),
        sa.Column("lease", Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_notices_lead_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notices_lead_id", "notices", ["lead_id"])
    pending = sa.text("next_attempt_at IS NOT NULL")
    op.create_index("ix_notices_due", "notices", ["next_attempt_at"], postgresql_where=pending, sqlite_where=pending)
