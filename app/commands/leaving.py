"""Taking back the open offers of whoever leaves: removed, declined, switched off, or the team is deleted."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.escalation import move_up
from app.db.functions import member_of
from app.db.models import Lead, LeadOffer
from app.domain.enums import OPEN_STATUSES, EndReason, LeadOfferStatus

_IS_OPEN = col(LeadOffer.status).in_(OPEN_STATUSES)


async def lock_open_leads(session: AsyncSession, offers: ColumnElement[bool]) -> Sequence[int]:
    """Locks the leads of the open offers that the condition matches, lowest id first; the ids.

    Everything that changes offers locks their leads first, and who locks several does it in this order, so that no
    two wait for each other.
    """
    touched = exists(select(1).where(col(LeadOffer.lead_id) == col(Lead.id), offers, _IS_OPEN))
    return (await session.exec(select(Lead.id).where(touched).order_by(col(Lead.id)).with_for_update(of=Lead))).all()


async def withdraw_open(
    session: AsyncSession, lead_ids: Sequence[int], offers: ColumnElement[bool], reason: EndReason, now: datetime
) -> None:
    """Cancels the open offers that the condition matches, of leads that are locked; nothing more is sent of them.

    What was sent stays in their deliveries. Where nobody can claim a lead now, who comes next by rank moves up.
    """
    withdrawn = offers & _IS_OPEN & member_of(col(LeadOffer.lead_id), lead_ids)
    await outbox.cancel_deliveries(session, withdrawn)
    await session.exec(
        update(LeadOffer).where(withdrawn).values(status=LeadOfferStatus.CANCELLED, end_reason=reason),
        execution_options={"synchronize_session": False},
    )
    for lead_id in lead_ids:
        await move_up(session, lead_id, now)
