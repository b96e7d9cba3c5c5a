"""The ledger of claims: one row for each time that somebody had a lead.

The open row, which has not ended, always agrees with the holder in the lead's own row. A unique index allows one open
row per lead, so that the database itself guarantees a single holder. The times of a lead's rows do not overlap: each
begins no sooner than the one before it ended, and ends no sooner than it began, even if the request that changes the
holder arrived before the one that did so last. A command that changes the holder has locked the lead, and writes the
ledger in the same transaction: `end_claim` before the change if somebody had the lead, and `open_claim` after it if
somebody has it now.

A server of an earlier version, which still runs during an upgrade, does not write the ledger. Triggers of the migration
make up for that; see app/db/migrations/versions/0015_claims.py.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Insert, and_, bindparam, case, func, insert, select, update
from sqlalchemy.orm import aliased
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.compiled import Statement
from app.db.functions import member_of
from app.db.models import Claim, Lead, LeadOffer
from app.db.types import UTCDateTime
from app.domain.enums import ClaimEnd

_COLUMNS = ["lead_id", "user_id", "team_id", "offer_id", "via", "claimed_at"]


def opening(leads: FromClause, *conditions: ColumnElement[bool]) -> Insert:
    """Return the statement that writes the rows of the holders of these leads, a table or a common table expression."""
    lead = leads.c
    before = aliased(Claim)
    last = select(func.max(col(Claim.id))).where(col(Claim.lead_id) == lead.id).scalar_subquery()
    of_holder = and_(col(LeadOffer.lead_id) == lead.id, col(LeadOffer.user_id) == lead.claimed_by_id)
    held = (
        select(
            lead.id,
            lead.claimed_by_id,
            case((col(LeadOffer.id).is_(None), lead.team_id), else_=col(LeadOffer.team_id)),
            col(LeadOffer.id),
            lead.claimed_via,
            case((col(before.ended_at) > lead.claimed_at, col(before.ended_at)), else_=lead.claimed_at),
        )
        .select_from(leads)
        .outerjoin(LeadOffer, of_holder)
        .outerjoin(before, col(before.id) == last)
        .where(lead.claimed_by_id.is_not(None), *conditions)
        .order_by(lead.id)
    )
    return insert(Claim).from_select(_COLUMNS, held)


_LEADS: Any = Lead.__table__  # type: ignore[attr-defined]
_OPEN = Statement[None](opening(_LEADS, _LEADS.c.id == bindparam("lead_id")))
_NOW = bindparam("now", type_=UTCDateTime)
_END = Statement[None](
    update(Claim)
    .where(col(Claim.lead_id) == bindparam("lead_id"), col(Claim.ended_at).is_(None))
    .values(
        ended_at=case((col(Claim.claimed_at) > _NOW, col(Claim.claimed_at)), else_=_NOW), end_reason=bindparam("reason")
    )
)


async def open_claim(session: AsyncSession, lead_id: int) -> None:
    """Write the row of the lead's new holder. Their offer of the lead exists by now, if they have one."""
    await _OPEN.run(session, lead_id=lead_id)


async def open_claims(session: AsyncSession, lead_ids: Collection[int]) -> None:
    """Write the rows of the holders of new leads, as an import brings them. Leads that nobody has get none."""
    await session.exec(opening(_LEADS, member_of(_LEADS.c.id, lead_ids)))


async def end_claim(session: AsyncSession, lead_id: int, reason: ClaimEnd, now: datetime) -> None:
    """End the open row of the lead."""
    await _END.run(session, lead_id=lead_id, reason=reason, now=now)
