"""The ledger of claims: one row for each time that somebody had a lead.

The open row, which has not ended, always agrees with the holder in the lead's own row. A unique index allows one open
row per lead, so that the database itself guarantees a single holder. A command that changes the holder has locked the
lead, and writes the ledger in the same transaction: `end_claim` before the change if somebody had the lead, and
`open_claim` after it if somebody has it now.

A server of an earlier version, which still runs during an upgrade, does not write the ledger. Triggers of the migration
make up for that; see app/db/migrations/versions/0015_claims.py.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, insert, select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.compiled import Statement
from app.db.functions import member_of
from app.db.models import Claim, Lead, LeadOffer
from app.domain.enums import ClaimEnd

_OFFER_OF_HOLDER = and_(col(LeadOffer.lead_id) == col(Lead.id), col(LeadOffer.user_id) == col(Lead.claimed_by_id))
_HELD: Any = (
    select(
        col(Lead.id),
        col(Lead.claimed_by_id),
        case((col(LeadOffer.id).is_(None), col(Lead.team_id)), else_=col(LeadOffer.team_id)),
        col(LeadOffer.id),
        col(Lead.claimed_via),
        col(Lead.claimed_at),
    )
    .outerjoin(LeadOffer, _OFFER_OF_HOLDER)
    .where(col(Lead.claimed_by_id).is_not(None))
)
_COLUMNS = ["lead_id", "user_id", "team_id", "offer_id", "via", "claimed_at"]

_OPEN = Statement[None](insert(Claim).from_select(_COLUMNS, _HELD.where(col(Lead.id) == bindparam("lead_id"))))
_END = Statement[None](
    update(Claim)
    .where(col(Claim.lead_id) == bindparam("lead_id"), col(Claim.ended_at).is_(None))
    .values(ended_at=bindparam("now"), end_reason=bindparam("reason"))
)


async def open_claim(session: AsyncSession, lead_id: int) -> None:
    """Write the row of the lead's new holder. Their offer of the lead exists by now, if they have one."""
    await _OPEN.run(session, lead_id=lead_id)


async def open_claims(session: AsyncSession, lead_ids: Collection[int]) -> None:
    """Write the rows of the holders of new leads, as an import brings them. Leads that nobody has get none."""
    held = _HELD.where(member_of(col(Lead.id), lead_ids)).order_by(col(Lead.id))
    await session.exec(insert(Claim).from_select(_COLUMNS, held))


async def end_claim(session: AsyncSession, lead_id: int, reason: ClaimEnd, now: datetime) -> None:
    """End the open row of the lead."""
    await _END.run(session, lead_id=lead_id, reason=reason, now=now)
