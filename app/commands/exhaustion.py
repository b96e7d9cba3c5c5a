"""Exhausted rollouts: reports leads that nobody has claimed and nobody is likely to claim to their creators.

A lead is exhausted once its last step is over (`gives_up_at`, see app/commands/step_end.py). Each lead
is reported once. A submit that creates offers, and a release, clear `exhausted_at`: it can be reported again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.locks import lock_leads
from app.commands.step_end import set_gives_up_at
from app.db.functions import member_of
from app.db.models import IS_WATCHED, Contact, Lead, Notice, User
from app.domain.enums import DeliveryStatus, DistributionTarget

BATCH_SIZE = 500


def _is_over(now: datetime) -> ColumnElement[bool]:
    return and_(text(IS_WATCHED), col(Lead.gives_up_at) <= now)


def _may_be_over(now: datetime) -> ColumnElement[bool]:
    """The condition that a lead is over, or that a server of an earlier version has not written when it will be."""
    return and_(text(IS_WATCHED), or_(col(Lead.gives_up_at) <= now, col(Lead.gives_up_at).is_(None)))


async def newly_exhausted_leads(session: AsyncSession, now: datetime, skip: Collection[int] = ()) -> Sequence[int]:
    """Return the ids of leads that may be exhausted and were not reported yet, except `skip`: at most BATCH_SIZE."""
    found = select(Lead.id).where(_may_be_over(now)).order_by(col(Lead.gives_up_at), col(Lead.id))
    if skip:
        found = found.where(~member_of(col(Lead.id), skip))
    return (await session.exec(found.limit(BATCH_SIZE))).all()


async def next_exhaustion(session: AsyncSession, after: datetime) -> datetime | None:
    """Return when the next lead is exhausted after `after` if nobody claims it; None if there is none."""
    found = select(func.min(Lead.gives_up_at)).where(text(IS_WATCHED), col(Lead.gives_up_at) > after)
    return (await session.exec(found)).one()


async def mark_exhausted(session: AsyncSession, lead_ids: Sequence[int], now: datetime) -> Sequence[Lead]:
    """Mark those of the leads that are exhausted, and create the notices. Return these leads.

    What `gives_up_at` says is worked out again under the locks.
    """
    locked = [lead.id for lead in await lock_leads(session, lead_ids)]
    await set_gives_up_at(session, locked, now)
    still_new = select(Lead).where(member_of(col(Lead.id), locked), _is_over(now))
    leads = (await session.exec(still_new, execution_options={"populate_existing": True})).all()
    for lead in leads:
        lead.exhausted_at, lead.gives_up_at = now, None
        session.add(Notice(lead_id=lead.id, status=DeliveryStatus.PENDING, next_attempt_at=now))
    await session.flush()
    await outbox.emit_rollouts_exhausted(session, leads, now)
    return leads


async def unclaimed_leads(session: AsyncSession, now: datetime) -> Sequence[tuple[Lead, User, Contact]]:
    """Return every exhausted lead, reported or not, oldest first, with its creator and its contact."""
    is_exhausted = and_(
        col(Lead.distribution_target) == DistributionTarget.TEAM_ROLLOUT,
        col(Lead.claimed_by_id).is_(None),
        or_(col(Lead.exhausted_at).is_not(None), col(Lead.gives_up_at) <= now),
    )
    found = (
        select(Lead, User, Contact)
        .join(User, col(User.id) == col(Lead.creator_id))
        .join(Contact, col(Contact.id) == col(Lead.contact_id))
        .where(is_exhausted)
        .order_by(col(Lead.id))
    )
    return (await session.exec(found)).all()
