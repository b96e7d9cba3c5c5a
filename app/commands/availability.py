"""Availability of a user: away until a time, and daily quiet hours."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.locks import lock_late_leads, lock_leads_of_offers, lock_user
from app.commands.offer_standing import IS_OPEN
from app.commands.outbox import has_pending_delivery
from app.commands.withdrawal import withdraw_open
from app.db.models import Delivery, LeadOffer, User
from app.domain.enums import DeliveryStatus, EndReason, LeadOfferStatus
from app.domain.timestamps import format_instant
from app.domain.validation import checking

_QUIET_HOURS = {"quiet_hours_start", "quiet_hours_end", "timezone"}
"""The columns that decide when quiet hours are."""


async def set_away(session: AsyncSession, viewer_id: int, until: datetime, now: datetime) -> User:
    """Give the viewer no new offers before `until`, and cancel their scheduled offers that come due before it.

    Raises BAD_USER_INPUT unless `until` is in the future and can be stored.
    """
    with checking() as check:
        if check.instant("until", until) <= now and not check.problems:
            check.refuse("until", f"must be after {format_instant(now)}, which is now")
    comes_due_before = and_(
        col(LeadOffer.user_id) == viewer_id,
        col(LeadOffer.status) == LeadOfferStatus.SCHEDULED,
        col(LeadOffer.notify_at) < until,
    )
    leads = await lock_leads_of_offers(session, comes_due_before)
    user = await lock_user(session, viewer_id)
    leads = await lock_late_leads(session, comes_due_before, leads)
    await withdraw_open(session, leads, comes_due_before, EndReason.AWAY, now)
    user.away_until = until
    await session.flush()
    return user


async def clear_away(session: AsyncSession, viewer_id: int) -> User:
    """Make the viewer available again. Cancelled offers stay cancelled until their leads are submitted again."""
    user = await lock_user(session, viewer_id)
    user.away_until = None
    await session.flush()
    return user


async def set_quiet_hours(session: AsyncSession, viewer_id: int, start: str, end: str, now: datetime) -> User:
    """Hold back the viewer's messages and automatic assignments daily from `start` to `end`.

    Both are HH:MM in the viewer's time zone. Quiet hours whose end is earlier than their start last over midnight.
    Raises BAD_USER_INPUT if one is not a time of day, or both are equal.
    """
    with checking() as check:
        check.time_of_day("start", start)
        check.time_of_day("end", end)
        if start == end and not check.problems:
            check.refuse("end", "must differ from start")
    return await change_user(session, viewer_id, {"quiet_hours_start": start, "quiet_hours_end": end}, now)


async def clear_quiet_hours(session: AsyncSession, viewer_id: int, now: datetime) -> User:
    """Remove the viewer's quiet hours, and release what they hold back."""
    return await change_user(session, viewer_id, {"quiet_hours_start": None, "quiet_hours_end": None}, now)


async def change_user(session: AsyncSession, user_id: int, values: Mapping[str, Any], now: datetime) -> User:
    """Set columns of a user, and return the user. If their quiet hours move, release what the old ones held back."""
    # The leads of all offers that the worker may be holding back at this moment, whether it has recorded that or not.
    may_wait = or_(IS_OPEN, has_pending_delivery())
    may_be_held = and_(col(LeadOffer.user_id) == user_id, col(LeadOffer.notify_at) <= now, may_wait)
    moves = not _QUIET_HOURS.isdisjoint(values)
    leads = await lock_leads_of_offers(session, may_be_held) if moves else ()
    user = await lock_user(session, user_id)
    moves = any(getattr(user, name) != values[name] for name in _QUIET_HOURS & values.keys())
    if moves:
        await lock_late_leads(session, may_be_held, leads)
    for name, value in values.items():
        setattr(user, name, value)
    await session.flush()
    if moves:
        await _release_held(session, user_id, now)
    return user


async def _release_held(session: AsyncSession, user_id: int, now: datetime) -> None:
    """Make everything that the old quiet hours held back due now. The worker holds it again if the new ones say so.

    The caller has locked the leads.
    """
    due = and_(col(LeadOffer.user_id) == user_id, col(LeadOffer.notify_at) <= now)
    held = and_(due, col(LeadOffer.held_until) > now)
    waiting = and_(
        col(Delivery.status) == DeliveryStatus.PENDING,
        col(Delivery.next_attempt_at) > now,
        col(Delivery.lease).is_(None),
        col(Delivery.offer_id).in_(select(LeadOffer.id).where(due)),
    )
    options = {"synchronize_session": False}
    await session.exec(update(LeadOffer).where(held).values(held_until=now), execution_options=options)
    await session.exec(update(Delivery).where(waiting).values(next_attempt_at=now), execution_options=options)
