"""Webhook events. Each is sent at least once, always with the same id and body. The order is undefined."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import delete, or_, true
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.db.models import Event
from app.domain.enums import DeliveryStatus
from app.observability import metrics, tracing
from app.worker.batch import Queue, Send
from app.worker.channels.webhook import Webhook
from app.worker.leases import Lease, Outcome, RetrySchedule

logger = logging.getLogger(__name__)

PAUSES = (
    timedelta(seconds=5),
    *(timedelta(minutes=minutes) for minutes in (5, 30)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
RETRIES = RetrySchedule(PAUSES, jitter=0.1)
"""The schedule of Standard Webhooks: ten attempts within about three days, so that none is lost over a weekend."""

SENT_KEPT_FOR = timedelta(days=7)
"""How long an event that was sent is kept for inspection."""

FAILED_KEPT_FOR = timedelta(days=30)
"""How long an event that has failed for good can be listed and sent again, see app/worker/failed_events.py."""

DELETED_AT_ONCE = 1_000


def event_queue(webhook: Webhook) -> Queue:
    """Return the queue of all events, which go to the webhook."""

    async def prepare(
        session: AsyncSession, _lease: Lease, event_ids: Sequence[int], _now: datetime
    ) -> dict[int, Send]:
        events = await session.exec(select(Event).where(member_of(col(Event.id), event_ids)))
        return {event.id: partial(_send, webhook, event.key, event.payload, event.trace_context) for event in events}

    return Queue("Events", Event, true(), webhook.max_concurrent, prepare, _record, retries=RETRIES)


async def _send(webhook: Webhook, key: str, payload: str, cause: str | None) -> None:
    with tracing.message_span("webhook", key, cause):
        await webhook.send(key, payload)


async def _record(lease: Lease, session: AsyncSession, outcomes: Sequence[Outcome], now: datetime) -> None:
    failed = await lease.record(session, outcomes, now)
    metrics.after_commit(session, metrics.EVENTS_FAILED.inc, len(failed))
    for event in await session.exec(select(Event).where(member_of(col(Event.id), failed))) if failed else ():
        logger.error("Event %s (%s) could not be delivered to the webhook: %s", event.key, event.kind, event.error)


async def delete_old_events(session: AsyncSession, now: datetime) -> None:
    """Delete events that are sent or have failed and were kept long enough, up to DELETED_AT_ONCE per call."""
    is_sent = col(Event.status) != DeliveryStatus.FAILED
    ended = select(Event.id).where(
        col(Event.next_attempt_at).is_(None), or_(is_sent, col(Event.happened_at) < now - FAILED_KEPT_FOR)
    )
    oldest = ended.order_by(col(Event.id)).limit(DELETED_AT_ONCE)
    await session.exec(
        delete(Event).where(col(Event.id).in_(oldest), col(Event.happened_at) < now - SENT_KEPT_FOR),
        execution_options={"synchronize_session": False},
    )
