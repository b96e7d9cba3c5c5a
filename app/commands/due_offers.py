"""Offers that are due and have no delivery to wait for: automatic ones, and those without a channel."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.auto_assign import auto_assign
from app.commands.eligibility import ineligibility
from app.commands.escalation import escalate
from app.commands.locks import lock_lead
from app.commands.withdrawal import withdraw_unsent
from app.db.models import HAS_NO_ALERT, WANTS_ATTENTION, LeadOffer
from app.domain.enums import LeadOfferStatus

_WANTS_ATTENTION = text(f"({WANTS_ATTENTION})")
_DUE_AT = func.coalesce(col(LeadOffer.held_until), col(LeadOffer.notify_at))


async def next_due_offer(session: AsyncSession) -> datetime | None:
    """The moment at which the next of them is due; null where none is ahead."""
    return (await session.exec(select(func.min(_DUE_AT)).where(_WANTS_ATTENTION))).one()


async def due_leads(session: AsyncSession, now: datetime) -> Sequence[int]:
    """The ids of some leads with such offers that are due, in order."""
    due = select(LeadOffer.lead_id).where(_WANTS_ATTENTION, now >= _DUE_AT).distinct()
    return (await session.exec(due.order_by(col(LeadOffer.lead_id)).limit(100))).all()


async def attend(session: AsyncSession, lead_id: int, now: datetime) -> None:
    """Assigns the lead if an automatic offer is due, and marks due offers without a channel as sent.

    Users are looked at again: where one has left, is away or was switched off, the offer is withdrawn.
    """
    lead = await lock_lead(session, lead_id)
    if lead.claimed_by_id is None and await auto_assign(session, lead_id, now):
        return
    due = and_(col(LeadOffer.lead_id) == lead_id, col(LeadOffer.notify_at) <= now)
    await _send_what_has_no_channel(session, lead_id, due, now)
    await session.exec(
        update(LeadOffer).where(due, col(LeadOffer.held_until) <= now).values(held_until=None),
        execution_options={"synchronize_session": False},
    )


async def _send_what_has_no_channel(
    session: AsyncSession, lead_id: int, due: ColumnElement[bool], now: datetime
) -> None:
    silent = and_(due, col(LeadOffer.status) == LeadOfferStatus.SCHEDULED, text(HAS_NO_ALERT))
    found = (await session.exec(select(LeadOffer.id, ineligibility(now)).where(silent))).all()
    reasons = {offer_id: reason for offer_id, reason in found if reason is not None}
    await withdraw_unsent(session, reasons)
    await session.exec(
        update(LeadOffer).where(silent).values(status=LeadOfferStatus.SENT),
        execution_options={"synchronize_session": False},
    )
    if reasons:
        await escalate(session, lead_id, now)
