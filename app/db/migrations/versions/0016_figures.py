"""Keep with each lead what figures count, so that they read the leads alone."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

# `id + 0` keeps PostgreSQL from walking all rows by the primary key for each lead. Leads of which nothing is known yet
# are not written.
FILL = """
UPDATE leads SET
    first_claimed_via = (SELECT via FROM claims WHERE lead_id = leads.id ORDER BY id + 0 LIMIT 1),
    first_team_id = (SELECT team_id FROM lead_rollouts WHERE lead_id = leads.id ORDER BY id + 0 LIMIT 1),
    was_released = EXISTS (SELECT 1 FROM claims WHERE lead_id = leads.id AND end_reason = 'RELEASED'),
    was_exhausted = exhausted_at IS NOT NULL OR EXISTS (SELECT 1 FROM notices WHERE lead_id = leads.id)
WHERE exhausted_at IS NOT NULL
    OR EXISTS (SELECT 1 FROM claims WHERE lead_id = leads.id)
    OR EXISTS (SELECT 1 FROM lead_rollouts WHERE lead_id = leads.id)
    OR EXISTS (SELECT 1 FROM notices WHERE lead_id = leads.id)
"""

# Servers of an earlier version, which still run during the upgrade, do not write these columns. Those of this version
# say that they do with a setting of their connections, see 0015_claims.py.
FOLLOW_ON_POSTGRESQL = (
    """
CREATE FUNCTION keep_figures() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'claims' THEN
        UPDATE leads SET first_claimed_via = NEW.via WHERE id = NEW.lead_id AND first_claimed_via IS NULL;
        UPDATE leads SET was_released = true
        WHERE id = NEW.lead_id AND NEW.end_reason = 'RELEASED' AND NOT was_released;
    WHEN 'lead_rollouts' THEN
        UPDATE leads SET first_team_id = NEW.team_id WHERE id = NEW.lead_id AND first_team_id IS NULL;
    WHEN 'notices' THEN
        UPDATE leads SET was_exhausted = true WHERE id = NEW.lead_id AND NOT was_exhausted;
    END CASE;
    RETURN NULL;
END $$
""",
    *(
        f"""
CREATE CONSTRAINT TRIGGER figures_are_kept AFTER {change} ON {table} DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (current_setting('lead_offers.keeps_ledger', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION keep_figures()
"""
        for change, table in (
            ("INSERT OR UPDATE OF end_reason", "claims"),
            ("INSERT", "lead_rollouts"),
            ("INSERT", "notices"),
        )
    ),
)


def upgrade() -> None:
    """Add the columns, fill them from the rows that tell the same, and let them follow those of earlier servers."""
    op.add_column("leads", sa.Column("first_claimed_via", sa.String(32), nullable=True))
    op.add_column(
        "leads", sa.Column("first_team_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
    )
    for name in ("was_released", "was_exhausted"):
        op.add_column("leads", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.execute(FILL)
    op.drop_index("ix_lead_rollouts_team_id", "lead_rollouts")
    op.create_index("ix_lead_rollouts_team_by_time", "lead_rollouts", ["team_id", "submitted_at"])
    if op.get_bind().dialect.name == "postgresql":
        for statement in FOLLOW_ON_POSTGRESQL:
            op.execute(statement)
