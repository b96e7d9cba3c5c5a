"""Webhook events that have failed for good: an operator can list them, and have them sent again."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.db.models import Event
from app.domain.enums import DeliveryStatus
from app.errors import ApiError, Code
from app.worker.leases import wake_workers

_HAS_FAILED = col(Event.status) == DeliveryStatus.FAILED


async def failed_events(session: AsyncSession) -> Sequence[Event]:
    """Return all events that have failed for good, oldest first."""
    return (await session.exec(select(Event).where(_HAS_FAILED).order_by(col(Event.id)))).all()


async def replay_events(
    session: AsyncSession, since: datetime, keys: Collection[str], now: datetime
) -> Sequence[Event]:
    """Make failed events that happened at `since` or later due now, all or those with these keys, and return them.

    They keep their keys and payloads, and get a whole schedule of attempts. Raises NOT_FOUND if one of the keys
    belongs to no such event; then nothing is changed.
    """
    conditions: list[ColumnElement[bool]] = [_HAS_FAILED, col(Event.happened_at) >= since]
    if keys:
        conditions.append(member_of(col(Event.key), {*keys}))
    found = select(Event).where(*conditions).order_by(col(Event.id)).with_for_update()
    events = (await session.exec(found)).all()
    if missing := {*keys} - {event.key for event in events}:
        raise ApiError(
            Code.NOT_FOUND, f"{min(missing)} is not the id of a failed event of that time. `events failed` lists them."
        )
    again = update(Event).where(member_of(col(Event.id), [event.id for event in events]))
    await session.exec(
        again.values(status=DeliveryStatus.PENDING, attempts=0, next_attempt_at=now),
        execution_options={"synchronize_session": False},
    )
    await wake_workers(session, Event)
    return events
