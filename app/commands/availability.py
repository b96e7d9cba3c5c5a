"""When a user is there: away until a moment, and quiet hours every day."""

from datetime import datetime

from sqlalchemy import and_, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.locks import lock_leads, lock_leads_of_open_offers
from app.commands.withdrawal import withdraw_open
from app.db.models import Delivery, LeadOffer, User
from app.domain.enums import DeliveryStatus, EndReason, LeadOfferStatus
from app.domain.quiet_hours import is_time_of_day
from app.errors import Problem, bad_input


async def set_away(session: AsyncSession, viewer_id: int, until: datetime, now: datetime) -> User:
    """The viewer gets no new offers before `until`; their scheduled offers that come due before it are cancelled.

    BAD_USER_INPUT unless `until` lies ahead.
    """
    if until <= now:
        raise bad_input(Problem("until", "must lie ahead"))
    user = await session.get_one(User, viewer_id)
    comes_due_before = and_(
        col(LeadOffer.user_id) == viewer_id,
        col(LeadOffer.status) == LeadOfferStatus.SCHEDULED,
        col(LeadOffer.notify_at) < until,
    )
    leads = await lock_leads_of_open_offers(session, comes_due_before)
    await withdraw_open(session, leads, comes_due_before, EndReason.AWAY, now)
    user.away_until = until
    await session.flush()
    return user


async def clear_away(session: AsyncSession, viewer_id: int) -> User:
    """The viewer is back. What was cancelled stays so until the lead is submitted again."""
    user = await session.get_one(User, viewer_id)
    user.away_until = None
    await session.flush()
    return user


async def set_quiet_hours(session: AsyncSession, viewer_id: int, start: str, end: str, now: datetime) -> User:
    """From `start` to `end`, HH:MM in the viewer's time zone, nobody wakes them; over midnight where end is earlier.

    BAD_USER_INPUT for what is no time of day, and for two equal ones.
    """
    sent = {"start": start, "end": end}
    problems = [Problem(name, "must be a time of day, HH:MM") for name in sent if not is_time_of_day(sent[name])]
    if start == end and not problems:
        problems = [Problem("end", "must differ from start")]
    if problems:
        raise bad_input(*problems)
    return await _change_quiet_hours(session, viewer_id, start, end, now)


async def clear_quiet_hours(session: AsyncSession, viewer_id: int, now: datetime) -> User:
    """Nothing is held back from the viewer any more."""
    return await _change_quiet_hours(session, viewer_id, None, None, now)


async def _change_quiet_hours(
    session: AsyncSession, viewer_id: int, start: str | None, end: str | None, now: datetime
) -> User:
    user = await session.get_one(User, viewer_id)
    if (user.quiet_hours_start, user.quiet_hours_end) != (start, end):
        user.quiet_hours_start, user.quiet_hours_end = start, end
        await session.flush()
        await _look_again(session, viewer_id, now)
    return user


async def _look_again(session: AsyncSession, user_id: int, now: datetime) -> None:
    """What the old quiet hours held back is looked at again now, and held anew where the new ones say so."""
    due = and_(col(LeadOffer.user_id) == user_id, col(LeadOffer.notify_at) <= now)
    offer_ids = select(LeadOffer.id).where(due)
    pending = and_(
        col(Delivery.status) == DeliveryStatus.PENDING,
        col(Delivery.next_attempt_at) > now,
        col(Delivery.lease).is_(None),
        col(Delivery.offer_id).in_(offer_ids),
    )
    told = select(Delivery.offer_id).where(pending)
    held = and_(due, col(LeadOffer.held_until) > now)
    affected = select(LeadOffer.lead_id).where(or_(held, col(LeadOffer.id).in_(told)))
    await lock_leads(session, set((await session.exec(affected)).all()))
    await session.exec(
        update(LeadOffer).where(held).values(held_until=now), execution_options={"synchronize_session": False}
    )
    await session.exec(
        update(Delivery).where(pending).values(next_attempt_at=now),
        execution_options={"synchronize_session": False},
    )
