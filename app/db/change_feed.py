"""The change feed: new and changed offers and leads, as triggers record them and as processes receive them.

On PostgreSQL, triggers made by the migrations send a notification on commit to every process that listens. On SQLite,
temporary triggers on the server's own write connection record the changes, so that a process sees only its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlmodel import SQLModel

from app.db.models import Lead
from app.domain.enums import LeadOfferStatus

CHANNEL = "lead_offer_changes"
"""The channel of the notifications of offers in PostgreSQL."""

LEAD_CHANNEL = "lead_changes"
"""The channel of those of leads. Servers of an earlier version, which do not know it, listen to the other one only."""

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

    @property
    def key(self) -> int:
        """Identifies what has changed: the offer."""
        return self.offer_id


@dataclass(frozen=True, slots=True)
class LeadChange:
    """A new lead, or a change of a lead or of the status of one of its offers. Query the database for its state."""

    lead_id: int
    is_new: bool
    changed_at: datetime

    def since(self, earlier: "LeadChange | None") -> "LeadChange":
        """Merge this change with an earlier one of the same lead."""
        return replace(self, is_new=self.is_new or earlier.is_new) if earlier else self

    @property
    def key(self) -> int:
        """Identifies what has changed: the lead."""
        return self.lead_id


Change = OfferChange | LeadChange

Announce = Callable[[Sequence[Change] | None], None]
"""A callback that receives committed changes, or None if there are too many to list."""


def read_notice(payload: str) -> Sequence[OfferChange] | None:
    """Parse a notification of offers: `[milliseconds since 1970, [[offer id, lead id, previous status], …]]`.

    An empty one returns None: there are too many changes to list.
    """
    if not payload:
        return None
    milliseconds, changes = orjson.loads(payload)
    return [_offer_change(offer_id, lead_id, previous, milliseconds) for offer_id, lead_id, previous in changes]


def read_lead_notice(payload: str) -> Sequence[LeadChange] | None:
    """Parse a notification of leads: `[milliseconds since 1970, [[lead id, whether it is new], …]]`. Else the same."""
    if not payload:
        return None
    milliseconds, changes = orjson.loads(payload)
    return [_lead_change(lead_id, is_new, milliseconds) for lead_id, is_new in changes]


_CHANGED_AT = "changed_at INTEGER DEFAULT (round((julianday('now') - 2440587.5) * 86400000))"
_LEAD_COLUMNS = SQLModel.metadata.tables[str(Lead.__tablename__)].columns
_LEAD_DIFFERS = " OR ".join(f"new.{column.name} IS NOT old.{column.name}" for column in _LEAD_COLUMNS)

WATCH_ON_SQLITE = (
    f"CREATE TEMP TABLE offer_changes (offer_id INTEGER, lead_id INTEGER, previous TEXT, {_CHANGED_AT})",
    """CREATE TEMP TRIGGER offer_made AFTER INSERT ON main.lead_offers BEGIN
        INSERT INTO offer_changes (offer_id, lead_id) VALUES (new.id, new.lead_id);
    END""",
    """CREATE TEMP TRIGGER offer_changed AFTER UPDATE OF status ON main.lead_offers WHEN new.status <> old.status BEGIN
        INSERT INTO offer_changes (offer_id, lead_id, previous) VALUES (new.id, new.lead_id, old.status);
    END""",
    f"CREATE TEMP TABLE lead_changes (lead_id INTEGER, is_new INTEGER, {_CHANGED_AT})",
    """CREATE TEMP TRIGGER lead_made AFTER INSERT ON main.leads BEGIN
        INSERT INTO lead_changes (lead_id, is_new) VALUES (new.id, 1);
    END""",
    f"""CREATE TEMP TRIGGER lead_changed AFTER UPDATE ON main.leads WHEN {_LEAD_DIFFERS} BEGIN
        INSERT INTO lead_changes (lead_id, is_new) VALUES (new.id, 0);
    END""",  # noqa: S608  the names of our columns
)
"""Statements that make a connection record its changes of offers and leads, for `take_changes` before the commit."""


async def take_changes(driver: Any) -> Sequence[Change]:
    """Return and clear the changes that the open transaction of an aiosqlite connection has made, in order."""
    offers = await driver.execute_fetchall("SELECT * FROM temp.offer_changes ORDER BY rowid")
    leads = await driver.execute_fetchall("SELECT * FROM temp.lead_changes ORDER BY rowid")
    if offers:
        await driver.execute_fetchall("DELETE FROM temp.offer_changes")
    if leads:
        await driver.execute_fetchall("DELETE FROM temp.lead_changes")
    return [*(_offer_change(*row) for row in offers), *(_lead_change(*row) for row in leads)]


def _offer_change(offer_id: int, lead_id: int, previous: str | None, milliseconds: int) -> OfferChange:
    status = LeadOfferStatus[previous] if previous else None
    return OfferChange(offer_id, lead_id, status, _EPOCH + timedelta(milliseconds=milliseconds))


def _lead_change(lead_id: int, is_new: bool, milliseconds: int) -> LeadChange:
    return LeadChange(lead_id, bool(is_new), _EPOCH + timedelta(milliseconds=milliseconds))
