"""The change feed: new and changed offers, as triggers in the database record them and as processes receive them.

On PostgreSQL, triggers made by the migrations send a notification on commit to every process that listens. On SQLite,
temporary triggers on the server's own write connection record the changes, so that a process sees only its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from app.domain.enums import LeadOfferStatus

CHANNEL = "lead_offer_changes"
"""The channel of the notifications in PostgreSQL."""

IN_BULK = "lead_offers.in_bulk"
"""A session setting in PostgreSQL. While it is `on`, the triggers send nothing."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OfferChange:
    """A new offer, or a change of an offer's status. Query the database for its current state."""

    offer_id: int
    lead_id: int
    previous_status: LeadOfferStatus | None
    """None if the offer is new."""
    changed_at: datetime

    def since(self, earlier: "OfferChange | None") -> "OfferChange":
        """Merge this change with an earlier one of the same offer."""
        return replace(self, previous_status=earlier.previous_status) if earlier else self


Announce = Callable[[Sequence[OfferChange] | None], None]
"""A callback that receives committed changes, or None if there are too many to list."""


def read_notice(payload: str) -> Sequence[OfferChange] | None:
    """Parse a notification: `[milliseconds since 1970, [[offer id, lead id, previous status], …]]`.

    An empty one returns None: there are too many changes to list.
    """
    if not payload:
        return None
    milliseconds, changes = orjson.loads(payload)
    return [_change(offer_id, lead_id, previous, milliseconds) for offer_id, lead_id, previous in changes]


WATCH_ON_SQLITE = (
    "CREATE TEMP TABLE offer_changes (offer_id INTEGER, lead_id INTEGER, previous TEXT, changed_at INTEGER)",
    """CREATE TEMP TRIGGER offer_made AFTER INSERT ON main.lead_offers BEGIN
        INSERT INTO offer_changes VALUES
            (new.id, new.lead_id, NULL, round((julianday('now') - 2440587.5) * 86400000));
    END""",
    """CREATE TEMP TRIGGER offer_changed AFTER UPDATE OF status ON main.lead_offers WHEN new.status <> old.status BEGIN
        INSERT INTO offer_changes VALUES
            (new.id, new.lead_id, old.status, round((julianday('now') - 2440587.5) * 86400000));
    END""",
)
"""Statements that make a connection record its changes of offers, for `take_changes` before the commit."""


async def take_changes(driver: Any) -> Sequence[OfferChange]:
    """Return and clear the changes that the open transaction of an aiosqlite connection has made, in order."""
    rows = await driver.execute_fetchall("SELECT * FROM temp.offer_changes ORDER BY rowid")
    if rows:
        await driver.execute_fetchall("DELETE FROM temp.offer_changes")
    return [_change(*row) for row in rows]


def _change(offer_id: int, lead_id: int, previous: str | None, milliseconds: int) -> OfferChange:
    status = LeadOfferStatus[previous] if previous else None
    return OfferChange(offer_id, lead_id, status, _EPOCH + timedelta(milliseconds=milliseconds))
