"""Webhook events. Each is sent at least once, always with the same id and body. The order is undefined."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import delete, true
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.db.models import Event
from app.worker.batch import Queue, Send
from app.worker.channels.webhook import Webhook
from app.worker.leases import Lease, Outcome

logger = logging.getLogger(__name__)

RETENTION = timedelta(days=7)
"""How long an event that was sent or has failed for good is kept for inspection."""

DELETED_AT_ONCE = 1_000


def event_queue(webhook: Webhook) -> Queue:
    """Return the queue of all events, which go to the webhook."""

    async def prepare(
        session: AsyncSession, _lease: Lease, event_ids: Sequence[int], _now: datetime
    ) -> dict[int, Send]:
        events = await session.exec(select(Event).where(member_of(col(Event.id), event_ids)))
        return {event.id: partial(webhook.send, event.key, event.payload) for event in events}

    return Queue("Events", Event, true(), webhook.max_concurrent, prepare, _record)


async def _record(lease: Lease, session: AsyncSession, outcomes: Sequence[Outcome], now: datetime) -> None:
    failed = await lease.record(session, outcomes, now)
    for event in await session.exec(select(Event).where(member_of(col(Event.id), failed))) if failed else ():
        logger.error("Event %s (%s) could not be delivered to the webhook: %s", event.key, event.kind, event.error)


async def delete_old_events(session: AsyncSession, now: datetime) -> None:
    """Delete events that are sent or have failed and are older than RETENTION, up to DELETED_AT_ONCE per call."""
    ended = select(Event.id).where(col(Event.next_attempt_at).is_(None)).order_by(col(Event.id))
    oldest = ended.limit(DELETED_AT_ONCE)
    await session.exec(
        delete(Event).where(col(Event.id).in_(oldest), col(Event.happened_at) < now - RETENTION),
        execution_options={"synchronize_session": False},
    )
