"""Exhausted rollouts: leads that nobody takes, of which their creators are told."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, or_, text
from sqlalchemy import select as select_any
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.locks import lock_leads
from app.db.models import IS_WATCHED, Contact, Lead, LeadOffer, Notice, User
from app.domain.enums import OPEN_STATUSES, DeliveryStatus, DistributionTarget


def is_exhausted(patience: timedelta, now: datetime) -> ColumnElement[bool]:
    """Nobody has the lead, and nobody is going to take it: every offer has ended, or `patience` is over.

    That of a lead with offers begins with the last of the open ones; that of a lead without, with its creation. An
    imported lead counts from its first submit here.
    """
    its_offers = col(LeadOffer.lead_id) == col(Lead.id)
    somebody_may_yet = and_(col(LeadOffer.status).in_(OPEN_STATUSES), col(LeadOffer.notify_at) > now - patience)
    return and_(
        col(Lead.distribution_target) == DistributionTarget.TEAM_ROLLOUT,
        col(Lead.claimed_by_id).is_(None),
        col(Lead.watched_since).is_not(None),
        ~exists(select_any(1).where(its_offers, somebody_may_yet).correlate(Lead)),
        or_(exists(select_any(1).where(its_offers).correlate(Lead)), col(Lead.watched_since) <= now - patience),
    )


async def note_exhausted(session: AsyncSession, patience: timedelta, now: datetime) -> Sequence[Lead]:
    """Has the creators of newly exhausted leads told, once for each time; those leads."""
    is_new = and_(text(IS_WATCHED), is_exhausted(patience, now))
    found = (await session.exec(select(Lead.id).where(is_new).order_by(col(Lead.watched_since)).limit(500))).all()
    if not found:
        return ()
    locked = [lead.id for lead in await lock_leads(session, found)]
    leads = (await session.exec(select(Lead).where(col(Lead.id).in_(locked), is_new))).all()
    for lead in leads:
        lead.exhausted_at = now
        session.add(Notice(lead_id=lead.id, status=DeliveryStatus.PENDING, next_attempt_at=now))
    await session.flush()
    await outbox.emit_rollouts_exhausted(session, leads, now)
    return leads


async def unclaimed_leads(
    session: AsyncSession, patience: timedelta, now: datetime
) -> Sequence[tuple[Lead, User, Contact]]:
    """Every exhausted lead, oldest first, with its creator and its contact."""
    found = (
        select(Lead, User, Contact)
        .join(User, col(User.id) == col(Lead.creator_id))
        .join(Contact, col(Contact.id) == col(Lead.contact_id))
        .where(is_exhausted(patience, now))
        .order_by(col(Lead.id))
    )
    return (await session.exec(found)).all()
