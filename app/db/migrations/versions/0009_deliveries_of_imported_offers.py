"""Give imported offers that lie ahead the deliveries that earlier imports left out, and index scheduled offers.

Those whose time has passed become sent, as if they were imported now: nobody is notified of them late.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

SILENT = """
FROM lead_offers WHERE status = 'SCHEDULED' AND (has_call_alert OR has_text_alert OR has_email_alert)
AND NOT EXISTS (SELECT 1 FROM deliveries WHERE offer_id = lead_offers.id AND deliveries.status = 'PENDING')
"""


def upgrade() -> None:
    # SQLite compares the times as text. Both begin with the date and the time.
    ahead = " UNION ALL ".join(
        f"SELECT id, '{channel}', 'PENDING', 0, notify_at {SILENT} AND {flag} AND notify_at > CURRENT_TIMESTAMP"
        for channel, flag in (("CALL", "has_call_alert"), ("TEXT", "has_text_alert"), ("EMAIL", "has_email_alert"))
    )
    op.execute(f"INSERT INTO deliveries (offer_id, channel, status, attempts, next_attempt_at) {ahead}")
    op.execute(f"UPDATE lead_offers SET status = 'SENT' WHERE id IN (SELECT id {SILENT})")  # noqa: S608

    scheduled = sa.text("status = 'SCHEDULED'")
    op.create_index(
        "ix_lead_offers_scheduled", "lead_offers", ["notify_at"], postgresql_where=scheduled, sqlite_where=scheduled
    )
