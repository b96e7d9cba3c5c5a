"""Delivery status: providers report later whether a message that they accepted has reached its recipient."""

from datetime import datetime

from sqlalchemy import ColumnElement, case, func, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.locks import lock_lead
from app.db.models import Delivery, LeadOffer
from app.domain.enums import DeliveryStatus


async def record_delivery_status(session: AsyncSession, delivery_id: int, failure: str | None, now: datetime) -> None:
    """Mark the delivery as delivered or, if `failure` gives a reason, as failed.

    The first report counts. It may arrive before the worker has recorded the attempt, or after an attempt that seemed
    to fail: then a message that has reached its recipient is not sent again.
    """
    found = select(LeadOffer.lead_id).join(Delivery).where(col(Delivery.id) == delivery_id)
    lead_id = (await session.exec(found)).one_or_none()
    if lead_id is None:
        return
    await lock_lead(session, lead_id)

    is_sent = col(Delivery.status) == DeliveryStatus.SENT
    if await _end(session, delivery_id, is_sent, failure, now):
        return

    is_leased = col(Delivery.lease).is_not(None)
    awaits_retry = col(Delivery.status) == DeliveryStatus.PENDING
    is_unrecorded = is_leased if failure else or_(is_leased, awaits_retry)
    if await _end(session, delivery_id, is_unrecorded, failure, now):
        await outbox.mark_offers_sent(session, sent=[delivery_id], ended=())


async def _end(
    session: AsyncSession, delivery_id: int, condition: ColumnElement[bool], failure: str | None, now: datetime
) -> bool:
    """End the delivery if it matches the condition, and count the attempt of a worker that holds its lease.

    Return whether it matched.
    """
    ended = await session.exec(
        update(Delivery)
        .where(col(Delivery.id) == delivery_id, condition)
        .values(
            status=DeliveryStatus.FAILED if failure else DeliveryStatus.DELIVERED,
            attempts=col(Delivery.attempts) + case((col(Delivery.lease).is_not(None), 1), else_=0),
            sent_at=func.coalesce(col(Delivery.sent_at), now),
            next_attempt_at=None,
            error=failure,
            lease=None,
        ),
        execution_options={"synchronize_session": False},
    )
    if ended.rowcount and failure:
        await outbox.emit_deliveries_failed(session, [delivery_id], now)
    return bool(ended.rowcount)
