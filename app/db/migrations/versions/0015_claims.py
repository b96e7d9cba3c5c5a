"""Add the ledger of claims, with a row for each lead that somebody has."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)

FILL = """
INSERT INTO claims (lead_id, user_id, team_id, offer_id, via, claimed_at)
SELECT leads.id, leads.claimed_by_id, CASE WHEN offer.id IS NULL THEN leads.team_id ELSE offer.team_id END, offer.id,
    coalesce(leads.claimed_via, 'APP'), leads.claimed_at
FROM leads LEFT JOIN lead_offers AS offer ON offer.lead_id = leads.id AND offer.user_id = leads.claimed_by_id
WHERE leads.claimed_by_id IS NOT NULL
"""
KEEP_FIRST = "UPDATE leads SET first_claimed_at = claimed_at WHERE claimed_by_id IS NOT NULL AND claimed_at IS NOT NULL"

# Servers of this version, which write the ledger, say so by a setting of their connections. For any other, the ledger
# follows at the commit, when the offer of the new holder exists too: the open row is ended, and the missing one added.
FOLLOW_ON_POSTGRESQL = (
    f"""
CREATE FUNCTION follow_claims() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    holder bigint := (SELECT claimed_by_id FROM leads WHERE id = NEW.id);
BEGIN
    IF holder IS NOT DISTINCT FROM (SELECT user_id FROM claims WHERE lead_id = NEW.id AND ended_at IS NULL) THEN
        RETURN NULL;
    END IF;
    UPDATE claims SET ended_at = coalesce(leads.claimed_at, date_trunc('milliseconds', now())),
        end_reason = CASE WHEN holder IS NULL THEN 'RELEASED' ELSE 'REASSIGNED' END
    FROM leads WHERE leads.id = NEW.id AND claims.lead_id = NEW.id AND claims.ended_at IS NULL;
    {FILL} AND leads.id = NEW.id;
    {KEEP_FIRST} AND id = NEW.id AND first_claimed_at IS NULL;
    RETURN NULL;
END $$
""",  # noqa: S608
    """
CREATE CONSTRAINT TRIGGER claims_are_followed AFTER UPDATE OF claimed_by_id ON leads DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (
    NEW.claimed_by_id IS DISTINCT FROM OLD.claimed_by_id
    AND current_setting('lead_offers.keeps_ledger', true) IS DISTINCT FROM 'on'
) EXECUTE FUNCTION follow_claims()
""",
)
# SQLite cannot wait for the commit. This trigger leaves out claims, but no lead keeps an open row that would refuse its
# next claim. A server of this version has ended the row already.
FOLLOW_ON_SQLITE = (
    """
CREATE TRIGGER claims_are_followed AFTER UPDATE OF claimed_by_id ON leads
WHEN old.claimed_by_id IS NOT NULL AND new.claimed_by_id IS NOT old.claimed_by_id
BEGIN
    UPDATE claims SET ended_at = coalesce(new.claimed_at, strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'),
        end_reason = CASE WHEN new.claimed_by_id IS NULL THEN 'RELEASED' ELSE 'REASSIGNED' END
    WHERE lead_id = new.id AND ended_at IS NULL;
END
""",
)


def upgrade() -> None:
    """Create the table, fill it, and let it follow the claims of servers of an earlier version, which still run."""
    op.add_column("leads", sa.Column("first_claimed_at", Instant, nullable=True))
    op.create_table(
        "claims",
        sa.Column("id", Id, nullable=False),
        sa.Column("lead_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("team_id", Id, nullable=True),
        sa.Column("offer_id", Id, nullable=True),
        sa.Column("via", sa.String(32), nullable=False),
        sa.Column("claimed_at", Instant, nullable=True),
        sa.Column("ended_at", Instant, nullable=True),
        sa.Column("end_reason", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_claims"),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_claims_lead_id"),
        # PostgreSQL locks the rows that a new row refers to in this order, which is that of app/commands/locks.py.
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_claims_team_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_claims_user_id"),
        sa.ForeignKeyConstraint(["offer_id"], ["lead_offers.id"], name="fk_claims_offer_id"),
        sqlite_autoincrement=True,
    )
    op.execute(f"{FILL} ORDER BY leads.id")
    op.execute(KEEP_FIRST)
    has_not_ended = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_claims_open",
        "claims",
        ["lead_id"],
        unique=True,
        postgresql_where=has_not_ended,
        sqlite_where=has_not_ended,
    )
    op.create_index("ix_claims_of_lead_by_id", "claims", ["lead_id", "id"])
    op.create_index("ix_claims_team_by_time", "claims", ["team_id", "claimed_at"])
    op.create_index("ix_claims_user_by_time", "claims", ["user_id", "claimed_at"])
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in FOLLOW_ON_POSTGRESQL if is_postgresql else FOLLOW_ON_SQLITE:
        op.execute(statement)
