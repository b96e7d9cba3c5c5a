"""Exhausted rollouts: reports leads that nobody has claimed and nobody is likely to claim to their creators.

A lead is exhausted once its step is over and no team follows, see app/commands/passing_on.py. Each lead is reported
once. A submit that creates offers, and a release, clear `exhausted_at`: it can be reported again.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.chains import following_team
from app.db.models import Contact, Lead, Notice, User
from app.domain.enums import DeliveryStatus, DistributionTarget


async def report_exhausted(session: AsyncSession, lead: Lead, now: datetime) -> None:
    """Mark a lead, which the caller has locked, as exhausted, and create the notice to its creator."""
    lead.exhausted_at, lead.gives_up_at, lead.was_exhausted = now, None, True
    session.add(Notice(lead_id=lead.id, status=DeliveryStatus.PENDING, next_attempt_at=now))
    await session.flush()
    await outbox.emit_rollout_exhausted(session, lead, now)


async def unclaimed_leads(session: AsyncSession, now: datetime) -> Sequence[tuple[Lead, User, Contact]]:
    """Return every exhausted lead, reported or not, oldest first, with its creator and its contact."""
    is_exhausted = and_(
        col(Lead.distribution_target) == DistributionTarget.TEAM_ROLLOUT,
        col(Lead.claimed_by_id).is_(None),
        or_(col(Lead.exhausted_at).is_not(None), and_(col(Lead.gives_up_at) <= now, following_team(Lead).is_(None))),
    )
    found = (
        select(Lead, User, Contact)
        .join(User, col(User.id) == col(Lead.creator_id))
        .join(Contact, col(Contact.id) == col(Lead.contact_id))
        .where(is_exhausted)
        .order_by(col(Lead.id))
    )
    return (await session.exec(found)).all()
