"""Store when the current step of a lead is over, in place of working it out from its offers in every pass."""

import sqlalchemy as sa
from alembic import context, op

revision = "0011"
down_revision = "0010"

IS_WATCHED = """
distribution_target = 'TEAM_ROLLOUT' AND claimed_by_id IS NULL AND watched_since IS NOT NULL AND exhausted_at IS NULL
"""

LATEST = "2200-12-31 23:59:59.999000"
LATER = {
    "postgresql": f"""
(SELECT least(at, '{LATEST}+00') FROM (SELECT {{}} + make_interval(mins => {{}}) AS at) AS moment WHERE at IS NOT NULL)
""",  # noqa: S608
    "sqlite": f"min(strftime('%Y-%m-%d %H:%M:%f', {{}}, '{{}} minutes') || '000', '{LATEST}')",
}
NOW = {"postgresql": "now()", "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'"}


def upgrade() -> None:
    dialect, minutes = op.get_bind().dialect.name, context.config.attributes.get("unclaimed_minutes", 60)
    op.add_column("lead_rollouts", sa.Column("wait_minutes", sa.Integer(), nullable=True))
    op.add_column("leads", sa.Column("gives_up_at", sa.DateTime(timezone=True), nullable=True))

    offers = "FROM lead_offers WHERE lead_offers.lead_id = leads.id"
    after_last_open = LATER[dialect].format(
        f"(SELECT max(notify_at) {offers} AND status IN ('SCHEDULED', 'SENT'))", minutes
    )
    over_now = f"CASE WHEN EXISTS (SELECT 1 {offers}) THEN {NOW[dialect]} END"
    never_offered = LATER[dialect].format("watched_since", minutes)
    over_at = f"coalesce({after_last_open}, {over_now}, {never_offered})"
    op.execute(f"UPDATE leads SET gives_up_at = {over_at} WHERE {IS_WATCHED}")  # noqa: S608

    op.drop_index("ix_leads_watched", "leads")
    watched = sa.text(IS_WATCHED)
    ends_at = sa.text("coalesce(gives_up_at, watched_since)")
    op.create_index("ix_leads_ending", "leads", [ends_at], postgresql_where=watched, sqlite_where=watched)
