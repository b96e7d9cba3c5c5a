"""Due offers that have no delivery to process them: automatic ones, and those without a channel."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.auto_assign import auto_assign
from app.commands.escalation import escalate
from app.commands.locks import lock_lead
from app.commands.offer_standing import ineligibility
from app.commands.step_end import set_gives_up_at
from app.commands.withdrawal import withdraw_unsent
from app.db.functions import member_of
from app.db.models import HAS_NO_ALERT, WANTS_ATTENTION, LeadOffer
from app.domain.enums import LeadOfferStatus

BATCH_SIZE = 100

_WANTS_ATTENTION = text(f"({WANTS_ATTENTION})")
_DUE_AT = func.coalesce(col(LeadOffer.held_until), col(LeadOffer.notify_at))


async def next_due_offer(session: AsyncSession, after: datetime) -> datetime | None:
    """Return when the first of these offers becomes due after `after`; None if there is none."""
    return (await session.exec(select(func.min(_DUE_AT)).where(_WANTS_ATTENTION, after < _DUE_AT))).one()


async def leads_with_due_offers(session: AsyncSession, now: datetime, skip: Collection[int] = ()) -> Sequence[int]:
    """Return the ids of leads with such offers that are due, except `skip`: lowest first, at most BATCH_SIZE."""
    due = select(LeadOffer.lead_id).where(_WANTS_ATTENTION, now >= _DUE_AT)
    if skip:
        due = due.where(~member_of(col(LeadOffer.lead_id), skip))
    return (await session.exec(due.distinct().order_by(col(LeadOffer.lead_id)).limit(BATCH_SIZE))).all()


async def process_due(session: AsyncSession, lead_id: int, now: datetime) -> None:
    """Assign the lead if an automatic offer is due; otherwise mark its due offers without a channel as sent.

    Offers whose users have left, are away or were deactivated in the meantime are withdrawn.
    """
    lead = await lock_lead(session, lead_id)
    if lead.claimed_by_id is None and await auto_assign(session, lead_id, now):
        return

    due = and_(col(LeadOffer.lead_id) == lead_id, col(LeadOffer.notify_at) <= now)
    await _send_without_channel(session, lead_id, due, now)
    await session.exec(
        update(LeadOffer).where(due, col(LeadOffer.held_until) <= now).values(held_until=None),
        execution_options={"synchronize_session": False},
    )
    await set_gives_up_at(session, [lead_id], now)


async def _send_without_channel(session: AsyncSession, lead_id: int, due: ColumnElement[bool], now: datetime) -> None:
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
