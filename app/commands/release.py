"""Releasing: a lead is given back, and the offers that its claim had ended come back."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, or_, update
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands import deliveries
from app.commands.auto_assign import auto_assign
from app.commands.eligibility import ineligibility
from app.commands.locks import lock_lead, lock_leads
from app.db.alert_columns import alerts_of
from app.db.models import Lead, LeadOffer
from app.domain.enums import EndReason, LeadOfferStatus
from app.errors import ApiError, Code


async def release_lead(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime) -> Lead:
    """Takes the lead from its holder and offers it again to those whom the claim had shut out.

    Raises a ApiError: NOT_FOUND, CONFLICT where nobody has the lead, FORBIDDEN for who neither has nor created it.
    """
    found = select(Lead.id).where(col(Lead.id) == lead_id, visibility.leads(viewer_id, now))
    if (await session.exec(found)).one_or_none() is None:
        raise ApiError(Code.NOT_FOUND, "There is no such lead.")
    lead = await lock_lead(session, lead_id)
    if lead.claimed_by_id is None:
        raise ApiError(Code.CONFLICT, "Nobody has this lead.")
    if viewer_id not in (lead.claimed_by_id, lead.creator_id):
        raise ApiError(Code.FORBIDDEN, "Only who has a lead and its creator may release it.")
    await _release(session, lead, now)
    return lead


async def release_leads(session: AsyncSession, holder_id: int, lead_ids: Sequence[int], now: datetime) -> None:
    """Releases those of the leads that the user still has: an operator does, in their place."""
    for lead in await lock_leads(session, lead_ids):
        if lead.claimed_by_id == holder_id:
            await _release(session, lead, now)


async def _release(session: AsyncSession, lead: Lead, now: datetime) -> None:
    ended = await _ended_by_the_claim(session, lead, now)
    await session.exec(
        update(LeadOffer)
        .where(col(LeadOffer.lead_id) == lead.id, col(LeadOffer.user_id) == lead.claimed_by_id)
        .values(status=LeadOfferStatus.DECLINED, end_reason=None),
        execution_options={"synchronize_session": False},
    )
    lead.claimed_by_id = lead.claimed_at = lead.claimed_via = lead.exhausted_at = None
    await session.flush()
    await deliveries.cancel(session, col(LeadOffer.lead_id) == lead.id)
    await _bring_back(session, [offer for offer, gone in ended if gone is None], now)
    await _give_up(session, [(offer, gone) for offer, gone in ended if gone is not None])
    await auto_assign(session, lead.id, now)
    await session.refresh(lead)


async def _ended_by_the_claim(
    session: AsyncSession, lead: Lead, now: datetime
) -> list[tuple[LeadOffer, EndReason | None]]:
    """The offers that the claim had ended, each with why it stays so: its user is switched off or not in the team."""
    cancelled = and_(col(LeadOffer.status) == LeadOfferStatus.CANCELLED, col(LeadOffer.end_reason) == EndReason.CLAIMED)
    ended = select(LeadOffer, ineligibility(now)).where(
        col(LeadOffer.lead_id) == lead.id, or_(col(LeadOffer.status) == LeadOfferStatus.EXPIRED, cancelled)
    )
    rows = (await session.exec(ended, execution_options={"populate_existing": True})).all()
    return [(offer, _gone(offer, reason)) for offer, reason in rows]


def _gone(offer: LeadOffer, reason: EndReason | None) -> EndReason | None:
    """Who is away comes back all the same, and is looked at again before anything is sent."""
    if offer.user_id is None:
        return EndReason.LEFT
    return None if reason is EndReason.AWAY else reason


async def _bring_back(session: AsyncSession, offers: Sequence[LeadOffer], now: datetime) -> None:
    """Sent offers are sent again; scheduled ones keep their spacing, the first due now. Their users are told."""
    scheduled = [o.notify_at for o in offers if o.status is LeadOfferStatus.CANCELLED and o.notify_at is not None]
    shift = now - min(scheduled, default=now)
    work: list[deliveries.Due] = []
    for offer in offers:
        if offer.status is LeadOfferStatus.EXPIRED:
            status, notify_at, told_at = LeadOfferStatus.SENT, offer.notify_at, now
        else:
            told_at = now if offer.notify_at is None else offer.notify_at + shift
            status, notify_at = LeadOfferStatus.SCHEDULED, told_at
        await session.exec(_REOPEN, params={"offer": offer.id, "status": status, "notify_at": notify_at})
        work += [(offer.id, channel, told_at) for channel in alerts_of(offer).channels]
    await deliveries.schedule(session, work)


async def _give_up(session: AsyncSession, offers: Sequence[tuple[LeadOffer, EndReason]]) -> None:
    for offer, gone in offers:
        await session.exec(_CANCEL, params={"offer": offer.id, "end_reason": gone})


_OFFERS = SQLModel.metadata.tables["lead_offers"]
_REOPEN = (
    update(_OFFERS)
    .where(_OFFERS.c.id == bindparam("offer"))
    .values(status=bindparam("status"), notify_at=bindparam("notify_at"), end_reason=None, held_until=None)
)
_CANCEL = (
    update(_OFFERS)
    .where(_OFFERS.c.id == bindparam("offer"))
    .values(status=LeadOfferStatus.CANCELLED, end_reason=bindparam("end_reason"))
)
