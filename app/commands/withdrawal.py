"""Withdraws offers of users who have left, are away or were deactivated, or whose team was deleted."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, case, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.escalation import escalate
from app.commands.offer_standing import IS_OPEN
from app.commands.step_end import set_gives_up_at
from app.db.functions import member_of
from app.db.models import LeadOffer
from app.db.types import stored
from app.domain.enums import EndReason, LeadOfferStatus


async def withdraw_open(
    session: AsyncSession, lead_ids: Sequence[int], offers: ColumnElement[bool], reason: EndReason, now: datetime
) -> None:
    """Cancel the open offers that the condition matches, and escalate each lead that nobody can claim any more.

    The caller has locked the leads. Deliveries that were sent keep their status; pending ones are cancelled.
    """
    withdrawn = offers & IS_OPEN & member_of(col(LeadOffer.lead_id), lead_ids)
    await outbox.cancel_deliveries(session, withdrawn)
    await session.exec(
        update(LeadOffer).where(withdrawn).values(status=LeadOfferStatus.CANCELLED, end_reason=reason),
        execution_options={"synchronize_session": False},
    )
    for lead_id in lead_ids:
        await escalate(session, lead_id, now)
    await set_gives_up_at(session, lead_ids, now)


async def withdraw_unsent(session: AsyncSession, reasons: Mapping[int, EndReason]) -> None:
    """Cancel the offers, given by id, that are still SCHEDULED, and the pending deliveries of all of them.

    The caller has locked the leads.
    """
    if not reasons:
        return
    among_them = col(LeadOffer.id).in_(reasons)
    by_id = case({offer_id: stored(reason) for offer_id, reason in reasons.items()}, value=col(LeadOffer.id))
    await session.exec(
        update(LeadOffer)
        .where(among_them, col(LeadOffer.status) == LeadOfferStatus.SCHEDULED)
        .values(status=LeadOfferStatus.CANCELLED, end_reason=by_id),
        execution_options={"synchronize_session": False},
    )
    await outbox.cancel_deliveries(session, among_them)
