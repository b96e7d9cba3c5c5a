"""Add an index of unclaimed leads, because every pass of a worker looks for exhausted ones."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

IS_WATCHED = """
distribution_target = 'TEAM_ROLLOUT' AND claimed_by_id IS NULL AND watched_since IS NOT NULL AND exhausted_at IS NULL
"""


def upgrade() -> None:
    watched = sa.text(IS_WATCHED)
    op.create_index("ix_leads_watched", "leads", ["watched_since"], postgresql_where=watched, sqlite_where=watched)
