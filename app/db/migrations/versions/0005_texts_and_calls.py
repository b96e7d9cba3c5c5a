"""Add opt-outs from text messages, and replies to them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_index("ix_users_phone", "users", ["phone"])
    op.create_table(
        "text_stops",
        sa.Column("user_id", Id, nullable=False),
        sa.Column("phone", Text, nullable=False),
        sa.Column("stopped_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "phone", name="pk_text_stops"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_text_stops_user_id"),
    )
    op.create_table(
        "text_replies",
        sa.Column("id", Text, nullable=False),
        sa.Column("offer_id", Id, nullable=True),
        sa.Column("received_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_text_replies"),
        sa.ForeignKeyConstraint(["offer_id"], ["lead_offers.id"], name="fk_text_replies_offer_id"),
    )
    op.create_index("ix_text_replies_offer_id", "text_replies", ["offer_id"])
