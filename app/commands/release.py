"""Releases leads: the holder loses the lead, and the offers that the claim had ended are open again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands import outbox
from app.commands.auto_assign import auto_assign
from app.commands.claim_ledger import end_claim
from app.commands.locks import lock_lead, lock_leads, share_teams, share_users
from app.commands.offer_standing import ineligibility
from app.commands.step_end import set_gives_up_at
from app.db.alert_columns import alerts_of
from app.db.models import Lead, LeadOffer
from app.domain.enums import ClaimEnd, EndReason, LeadOfferStatus
from app.domain.offer_states import after_release
from app.domain.timestamps import later
from app.errors import ApiError, Code


async def release_lead(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime) -> Lead:
    """Take the lead from its holder and reopen the offers that the claim had ended.

    Raises NOT_FOUND, CONFLICT if nobody has the lead, and FORBIDDEN for users other than its holder and its creator.
    """
    found = select(Lead.id).where(col(Lead.id) == lead_id, visibility.leads(viewer_id, now))
    if (await session.exec(found)).one_or_none() is None:
        raise ApiError(Code.NOT_FOUND, "There is no lead with this id.")
    lead = await lock_lead(session, lead_id)
    if lead.claimed_by_id is None:
        raise ApiError(Code.CONFLICT, "Nobody has claimed this lead.")
    if viewer_id not in (lead.claimed_by_id, lead.creator_id):
        raise ApiError(Code.FORBIDDEN, "Only the holder and the creator of a lead may release it.")
    await _release(session, lead, now)
    return lead


def can_release(lead: Any, viewer_id: visibility.IdValue) -> ColumnElement[bool]:
    """Return whether the viewer's release of the lead would succeed. `lead` has the columns of its row."""
    holder_id = lead.claimed_by_id
    return and_(holder_id.is_not(None), or_(holder_id == viewer_id, lead.creator_id == viewer_id))


async def release_leads(session: AsyncSession, holder_id: int, lead_ids: Sequence[int], now: datetime) -> None:
    """Release those of the leads that the user still holds, on behalf of an operator."""
    for lead in await lock_leads(session, lead_ids):
        if lead.claimed_by_id == holder_id:
            await _release(session, lead, now)


async def _release(session: AsyncSession, lead: Lead, now: datetime) -> None:
    of_lead = col(LeadOffer.lead_id) == lead.id
    offered = (await session.exec(select(LeadOffer.team_id, LeadOffer.user_id).where(of_lead))).all()
    await share_teams(session, {team_id for team_id, _ in offered if team_id is not None})
    await share_users(session, {user_id for _, user_id in offered if user_id is not None})

    statement = select(LeadOffer, ineligibility(now)).where(of_lead).order_by(col(LeadOffer.id))
    offers = (await session.exec(statement, execution_options={"populate_existing": True})).all()
    await outbox.cancel_deliveries(session, of_lead)

    reopened: list[tuple[LeadOffer, LeadOfferStatus]] = []
    for offer, reason in offers:
        status = after_release(offer.status, offer.end_reason)
        if offer.user_id == lead.claimed_by_id:
            offer.status, offer.end_reason = LeadOfferStatus.DECLINED, None
        elif status is not None and offer.user_id is None:
            offer.status, offer.end_reason = LeadOfferStatus.CANCELLED, EndReason.LEFT
        elif status is not None and reason not in (None, EndReason.AWAY):
            offer.status, offer.end_reason = LeadOfferStatus.CANCELLED, reason
        elif status is not None:  # the worker checks again before it sends whether the user is away
            reopened.append((offer, status))
    announcements = _reopen(reopened, now)

    await end_claim(session, lead.id, ClaimEnd.RELEASED, now)
    lead.claimed_by_id = lead.claimed_at = lead.claimed_via = lead.exhausted_at = None
    lead.was_released = True
    await session.flush()
    await outbox.schedule_deliveries(session, announcements)
    await auto_assign(session, lead.id, now)
    await set_gives_up_at(session, [lead.id], now)
    await session.refresh(lead)


def _reopen(offers: Sequence[tuple[LeadOffer, LeadOfferStatus]], now: datetime) -> list[outbox.Announcement]:
    """Give the offers their status back, and return the notifications to schedule.

    Offers that were sent are sent again now. Scheduled offers keep their spacing, and the first of them is due now.
    """
    scheduled = [
        offer.notify_at
        for offer, status in offers
        if status is LeadOfferStatus.SCHEDULED and offer.notify_at is not None
    ]
    shift = now - min(scheduled, default=now)
    announcements: list[outbox.Announcement] = []
    for offer, status in offers:
        send_at = now
        if status is LeadOfferStatus.SCHEDULED:
            send_at = now if offer.notify_at is None else later(offer.notify_at, shift)
            offer.notify_at = send_at
        offer.status, offer.end_reason, offer.held_until = status, None, None
        announcements.append(outbox.Announcement(offer.id, alerts_of(offer), send_at))
    return announcements
