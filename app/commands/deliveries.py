"""Deliveries: the work of telling an offer's user, written in the transaction that makes or ends the offer."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, bindparam, exists, insert, literal, update
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.compiled import Statement
from app.db.functions import member_of, rows_parameter
from app.db.models import Delivery, LeadOffer
from app.db.types import stored
from app.domain.enums import Channel, DeliveryStatus, LeadOfferStatus

_DELIVERIES = SQLModel.metadata.tables["deliveries"]
_WORK = rows_parameter("work", _DELIVERIES.c.offer_id, _DELIVERIES.c.channel, _DELIVERIES.c.next_attempt_at)
_NEW: dict[str, Any] = {**_WORK.c, "status": stored(DeliveryStatus.PENDING), "attempts": literal(0)}
_SCHEDULE = Statement[None](insert(_DELIVERIES).from_select(list(_NEW), select(*_NEW.values())))

Due = tuple[int, Channel, datetime]
"""The id of an offer, a channel, and when its user is to be told on it."""


async def schedule(session: AsyncSession, work: Iterable[Due]) -> None:
    """Makes the deliveries, one statement for all of them."""
    if rows := list(work):
        await _SCHEDULE.run(session, work=rows)


def _cancelling(offers: ColumnElement[bool]) -> Update:
    pending = col(Delivery.status) == DeliveryStatus.PENDING
    return (
        update(Delivery)
        .where(pending, col(Delivery.offer_id).in_(select(LeadOffer.id).where(offers)))
        .values(status=DeliveryStatus.CANCELLED, next_attempt_at=None)
    )


async def cancel(session: AsyncSession, offers: ColumnElement[bool]) -> None:
    """Cancels what is still pending of the offers that the condition matches."""
    await session.exec(_cancelling(offers), execution_options={"synchronize_session": False})


_CANCEL_OF_LEAD = Statement[None](_cancelling(col(LeadOffer.lead_id) == bindparam("of_lead")))


async def cancel_of_lead(session: AsyncSession, lead_id: int) -> None:
    """Cancels what is still pending of all offers of the lead."""
    await _CANCEL_OF_LEAD.run(session, of_lead=lead_id)


async def mark_told(session: AsyncSession, *, sent: Collection[int], ended: Collection[int]) -> None:
    """An offer is sent with its first message, or once every delivery has come to an end (rules of notifying).

    `sent` and `ended` are deliveries of which a message went out, or that may have come to an end. The caller has
    locked their leads.
    """
    of_sent = select(Delivery.offer_id).where(member_of(col(Delivery.id), sent))
    of_ended = select(Delivery.offer_id).where(member_of(col(Delivery.id), ended))
    still_pending = exists().where(
        col(Delivery.offer_id) == col(LeadOffer.id), col(Delivery.status) == DeliveryStatus.PENDING
    )
    is_told = col(LeadOffer.id).in_(of_sent) | (col(LeadOffer.id).in_(of_ended) & ~still_pending)
    await session.exec(
        update(LeadOffer)
        .where(is_told, col(LeadOffer.status) == LeadOfferStatus.SCHEDULED)
        .values(status=LeadOfferStatus.SENT),
        execution_options={"synchronize_session": False},
    )
