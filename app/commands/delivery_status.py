"""Receipts: how a message that a provider had taken over ended, as it tells later."""

from datetime import datetime

from sqlalchemy import ColumnElement, case, func, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import deliveries, events
from app.commands.locks import lock_lead
from app.db.models import Delivery, LeadOffer
from app.domain.enums import DeliveryStatus


async def record_receipt(session: AsyncSession, delivery_id: int, failure: str | None, now: datetime) -> bool:
    """The message has reached its user or, for a reason in our own words, has not; whether that was news.

    Of several receipts the first stands. One may come before the attempt is recorded, or after an attempt that we
    gave up: what has reached its user is not sent again.
    """
    found = select(LeadOffer.lead_id).join(Delivery).where(col(Delivery.id) == delivery_id)
    lead_id = (await session.exec(found)).one_or_none()
    if lead_id is None:
        return False
    await lock_lead(session, lead_id)
    if await _end(session, delivery_id, col(Delivery.status) == DeliveryStatus.SENT, failure, now):
        return True
    under_way = col(Delivery.lease).is_not(None)
    given_up = col(Delivery.status) == DeliveryStatus.PENDING
    early = under_way if failure else or_(under_way, given_up)
    if not await _end(session, delivery_id, early, failure, now):
        return False
    await deliveries.mark_told(session, sent=[delivery_id], ended=())
    return True


async def _end(
    session: AsyncSession, delivery_id: int, state: ColumnElement[bool], failure: str | None, now: datetime
) -> bool:
    """Ends the delivery if it is in that state, and the attempt that is under way with it."""
    ended = await session.exec(
        update(Delivery)
        .where(col(Delivery.id) == delivery_id, state)
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
        await events.deliveries_failed(session, [delivery_id], now)
    return bool(ended.rowcount)
