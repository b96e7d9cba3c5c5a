"""Exhausted rollouts: reports leads that nobody has claimed and nobody is likely to claim to their creators.

Each lead is reported once. A submit that creates offers, and a release, clear `exhausted_at`: it can be reported again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, or_, text
from sqlalchemy import select as select_any
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.locks import lock_leads
from app.commands.offer_standing import IS_OPEN
from app.db.functions import member_of
from app.db.models import IS_WATCHED, Contact, Lead, LeadOffer, Notice, User
from app.domain.enums import DeliveryStatus, DistributionTarget

BATCH_SIZE = 500


def is_exhausted(patience: timedelta, now: datetime) -> ColumnElement[bool]:
    """Return the condition that a lead is unclaimed, and that all its offers have ended or `patience` has passed.

    Patience is counted from the latest open offer or, for a lead without offers, from its creation. An imported lead
    counts from its first submit on this server.
    """
    offers_of_lead = col(LeadOffer.lead_id) == col(Lead.id)
    still_has_time = and_(IS_OPEN, col(LeadOffer.notify_at) > now - patience)
    return and_(
        col(Lead.distribution_target) == DistributionTarget.TEAM_ROLLOUT,
        col(Lead.claimed_by_id).is_(None),
        col(Lead.watched_since).is_not(None),
        ~exists(select_any(1).where(offers_of_lead, still_has_time).correlate(Lead)),
        or_(exists(select_any(1).where(offers_of_lead).correlate(Lead)), col(Lead.watched_since) <= now - patience),
    )


def _is_new(patience: timedelta, now: datetime) -> ColumnElement[bool]:
    return and_(text(IS_WATCHED), is_exhausted(patience, now))


async def newly_exhausted_leads(
    session: AsyncSession, patience: timedelta, now: datetime, skip: Collection[int] = ()
) -> Sequence[int]:
    """Return the ids of exhausted leads not reported yet, except `skip`: oldest first, at most BATCH_SIZE."""
    found = select(Lead.id).where(_is_new(patience, now)).order_by(col(Lead.watched_since))
    if skip:
        found = found.where(~member_of(col(Lead.id), skip))
    return (await session.exec(found.limit(BATCH_SIZE))).all()


async def mark_exhausted(
    session: AsyncSession, lead_ids: Sequence[int], patience: timedelta, now: datetime
) -> Sequence[Lead]:
    """Mark those of the leads that are still newly exhausted, and create the notices. Return these leads."""
    locked = [lead.id for lead in await lock_leads(session, lead_ids)]
    still_new = select(Lead).where(member_of(col(Lead.id), locked), _is_new(patience, now))
    leads = (await session.exec(still_new)).all()
    for lead in leads:
        lead.exhausted_at = now
        session.add(Notice(lead_id=lead.id, status=DeliveryStatus.PENDING, next_attempt_at=now))
    await session.flush()
    await outbox.emit_rollouts_exhausted(session, leads, now)
    return leads


async def unclaimed_leads(
    session: AsyncSession, patience: timedelta, now: datetime
) -> Sequence[tuple[Lead, User, Contact]]:
    """Return every exhausted lead, oldest first, with its creator and its contact."""
    found = (
        select(Lead, User, Contact)
        .join(User, col(User.id) == col(Lead.creator_id))
        .join(Contact, col(Contact.id) == col(Lead.contact_id))
        .where(is_exhausted(patience, now))
        .order_by(col(Lead.id))
    )
    return (await session.exec(found)).all()
