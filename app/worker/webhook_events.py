"""Sending events to the webhook, and forgetting those that have come to an end."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import delete, true
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.engine import Database
from app.db.functions import member_of
from app.db.models import Event
from app.worker import leases
from app.worker.channels.base import DeliveryError
from app.worker.channels.webhook import Webhook
from app.worker.leases import Outcome

logger = logging.getLogger(__name__)

KEPT = timedelta(days=7)
"""How long an event stays that was sent or has failed for good, for whoever looks for it."""

FORGOTTEN_AT_ONCE = 1_000


async def send_events(
    db: Database,
    webhook: Webhook,
    until: datetime,
    clock: Callable[[], datetime],
    lease_for: timedelta,
    *,
    given_up: asyncio.Event,
) -> int:
    """Sends what was due at `until`, as many as the webhook takes at once; how many were taken.

    Each is sent at least once, always with the same id and body, and in no order that is promised.
    """
    lease, lease_until = uuid4().hex, clock() + lease_for
    async with db.write() as session:
        ids = await leases.take(session, Event, true(), webhook.max_concurrent, lease, now=until, until=lease_until)
        events = (await session.exec(select(Event).where(member_of(col(Event.id), [*ids])))).all() if ids else ()
    sending = [asyncio.create_task(_send(webhook, event)) for event in events]
    outcomes = await leases.outcomes_of(sending, given_up)
    if sending:
        async with db.write() as session:
            lost = await leases.record(session, Event, lease, outcomes, clock())
            if len(outcomes) < len(sending):
                await leases.give_back(session, Event, ids, lease, clock())
        _log(events, outcomes, lost)
    return len(ids)


async def _send(webhook: Webhook, event: Event) -> Outcome:
    try:
        await webhook.send(event.key, event.payload)
    except DeliveryError as failure:
        return Outcome(event.id, failure)
    except Exception:
        logger.exception("Event %s failed unexpectedly", event.key)
        return Outcome(event.id, DeliveryError("Something went wrong on our side."))
    return Outcome(event.id)


def _log(events: Sequence[Event], outcomes: Sequence[Outcome], lost: Collection[int]) -> None:
    by_id = {event.id: event for event in events}
    failed = [(by_id[outcome.id], outcome.failure) for outcome in outcomes if outcome.failure]
    logger.info("%d events sent, %d failed", len(outcomes) - len(failed), len(failed))
    for event, failure in failed:
        if event.id in lost:
            logger.error("The webhook was never told of %s (%s): %s", event.key, event.kind, failure.reason)


async def forget_events(session: AsyncSession, now: datetime) -> None:
    """Deletes the oldest of those that came to an end before KEPT, not all at once."""
    ended = select(Event.id).where(col(Event.next_attempt_at).is_(None)).order_by(col(Event.id))
    oldest = ended.limit(FORGOTTEN_AT_ONCE)
    await session.exec(
        delete(Event).where(col(Event.id).in_(oldest), col(Event.happened_at) < now - KEPT),
        execution_options={"synchronize_session": False},
    )
