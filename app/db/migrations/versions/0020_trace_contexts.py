"""Keep with deliveries and events which request has caused them, for traces."""

import sqlalchemy as sa
from alembic import op

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the columns, which stay empty while tracing is off."""
    for table in ("deliveries", "events"):
        op.add_column(table, sa.Column("trace_context", TEXT, nullable=True))
