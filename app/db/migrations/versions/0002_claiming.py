"""Add the columns that escalation and automatic assignment need."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lead_offers", sa.Column("order_method", sa.String(32), nullable=True))
    op.add_column("lead_offers", sa.Column("held_until", sa.DateTime(timezone=True), nullable=True))
