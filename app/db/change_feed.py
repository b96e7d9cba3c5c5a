"""Changes of offers, as a process hears of them: triggers see each, whoever writes it, and it is told after the commit.

On PostgreSQL the triggers of the migrations send a notice that every listening process gets. On SQLite they are
temporary ones of a server's own writing connection, which see what this process writes and nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from app.domain.enums import LeadOfferStatus

CHANNEL = "lead_offer_changes"
"""Where PostgreSQL sends the notices."""

IN_BULK = "lead_offers.in_bulk"
"""A setting of PostgreSQL; while it is `on` the triggers say nothing."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OfferChange:
    """An offer was made, or its status changed. What it has become is for the database to say."""

    offer_id: int
    lead_id: int
    previous_status: LeadOfferStatus | None
    """None when the offer is new."""
    changed_at: datetime

    def since(self, earlier: "OfferChange | None") -> "OfferChange":
        """This change and an earlier one of the same offer, as one."""
        return replace(self, previous_status=earlier.previous_status) if earlier else self


Announce = Callable[[Sequence[OfferChange] | None], None]
"""Told of changes that were committed; None means more than are worth naming."""


def read_notice(payload: str) -> Sequence[OfferChange] | None:
    """What PostgreSQL says: `[milliseconds since 1970, [[offer, lead, previous status], …]]`, or nothing."""
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
"""Has a connection note its changes of offers, to be taken by `take_changes` before its commit."""


async def take_changes(driver: Any) -> Sequence[OfferChange]:
    """What the transaction of this aiosqlite connection has changed so far, in order."""
    rows = await driver.execute_fetchall("SELECT * FROM temp.offer_changes ORDER BY rowid")
    if rows:
        await driver.execute_fetchall("DELETE FROM temp.offer_changes")
    return [_change(*row) for row in rows]


def _change(offer_id: int, lead_id: int, previous: str | None, milliseconds: int) -> OfferChange:
    status = LeadOfferStatus[previous] if previous else None
    return OfferChange(offer_id, lead_id, status, _EPOCH + timedelta(milliseconds=milliseconds))
