"""The outbox: deliveries to users and events for the webhook, written in the transaction of what they report.

The worker sends them later. Events are written only if there is a webhook. Their ids and enums are spelled as in
GraphQL, and they contain no e-mail address and no phone number.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
from sqlalchemy import ColumnElement, Update, bindparam, exists, func, insert, literal, or_, text, update
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from app.db.alert_columns import alert_columns
from app.db.compiled import Statement
from app.db.engine import HAS_WEBHOOK
from app.db.functions import member_of, rows_parameter
from app.db.models import IS_SCHEDULED, Delivery, Lead, LeadOffer
from app.db.types import Text, stored
from app.domain.alert_channels import Alerts
from app.domain.enums import ClaimedVia, DeliveryStatus, EventKind, LeadOfferStatus
from app.domain.timestamps import format_instant, whole_seconds_between
from app.observability import tracing

# Deliveries

_DELIVERIES = SQLModel.metadata.tables["deliveries"]
_DUE = rows_parameter("due", _DELIVERIES.c.offer_id, _DELIVERIES.c.channel, _DELIVERIES.c.next_attempt_at)
_NEW: dict[str, Any] = {**_DUE.c, "status": stored(DeliveryStatus.PENDING), "attempts": literal(0)} | {
    "trace_context": bindparam("trace_context", type_=Text)
}
_SCHEDULE = Statement[None](insert(_DELIVERIES).from_select(list(_NEW), select(*_NEW.values())))


class Announcement(NamedTuple):
    """A notification of an offer, to be sent to its user on each of these channels at this time."""

    offer_id: int
    alerts: Alerts
    at: datetime


async def schedule_deliveries(session: AsyncSession, announcements: Iterable[Announcement]) -> None:
    """Create a pending delivery for each channel of each announcement, in one statement.

    Everything that creates or reopens an offer calls this function; no other one writes pending deliveries.
    """
    if rows := [(each.offer_id, channel, each.at) for each in announcements for channel in each.alerts.channels]:
        await _SCHEDULE.run(session, due=rows, trace_context=tracing.trace_context())


def has_pending_delivery() -> ColumnElement[bool]:
    """Return the condition that an offer of the enclosing statement has a delivery that is still to be sent."""
    return exists().where(col(Delivery.offer_id) == col(LeadOffer.id), col(Delivery.status) == DeliveryStatus.PENDING)


MOST_COUNTED = 10_000
"""How many scheduled offers `count_silent_offers` looks at, those that are due first."""


def count_silent_offers() -> SelectOfScalar[int]:
    """Return a statement that counts scheduled offers whose users will not be notified when they are due.

    Such an offer has a channel and no pending delivery. There are none unless something writes offers without
    `schedule_deliveries`. They stay scheduled, so that they stay among the first MOST_COUNTED.
    """
    first = select(LeadOffer.id).where(text(IS_SCHEDULED)).order_by(col(LeadOffer.notify_at)).limit(MOST_COUNTED)
    first = first.correlate(None)
    return select(func.count()).where(
        col(LeadOffer.id).in_(first), or_(*alert_columns(LeadOffer).values()), ~has_pending_delivery()
    )


def _cancelling(offers: ColumnElement[bool]) -> Update:
    pending = col(Delivery.status) == DeliveryStatus.PENDING
    return (
        update(Delivery)
        .where(pending, col(Delivery.offer_id).in_(select(LeadOffer.id).where(offers)))
        .values(status=DeliveryStatus.CANCELLED, next_attempt_at=None)
    )


async def cancel_deliveries(session: AsyncSession, offers: ColumnElement[bool]) -> None:
    """Cancel the pending deliveries of the offers that match the condition."""
    await session.exec(_cancelling(offers), execution_options={"synchronize_session": False})


_CANCEL_OF_LEAD = Statement[None](_cancelling(col(LeadOffer.lead_id) == bindparam("of_lead")))


async def cancel_deliveries_of_lead(session: AsyncSession, lead_id: int) -> None:
    """Cancel the pending deliveries of all offers of the lead."""
    await _CANCEL_OF_LEAD.run(session, of_lead=lead_id)


async def mark_offers_sent(session: AsyncSession, *, sent: Collection[int], ended: Collection[int]) -> None:
    """Mark scheduled offers as sent: those of `sent` deliveries, and those of `ended` ones that have none pending.

    Both are ids of deliveries. An offer counts as sent with its first message, or when every delivery has ended, even
    if all failed. The caller holds the locks of their leads.
    """
    offers_of_sent = select(Delivery.offer_id).where(member_of(col(Delivery.id), sent))
    offers_of_ended = select(Delivery.offer_id).where(member_of(col(Delivery.id), ended))
    is_sent = col(LeadOffer.id).in_(offers_of_sent) | (col(LeadOffer.id).in_(offers_of_ended) & ~has_pending_delivery())
    await session.exec(
        update(LeadOffer)
        .where(is_sent, col(LeadOffer.status) == LeadOfferStatus.SCHEDULED)
        .values(status=LeadOfferStatus.SENT),
        execution_options={"synchronize_session": False},
    )


# Events

_EVENTS = SQLModel.metadata.tables["events"]
_HAPPENED = rows_parameter("happened", _EVENTS.c.key, _EVENTS.c.kind, _EVENTS.c.payload, _EVENTS.c.happened_at)
_NEW_EVENTS: dict[str, Any] = {
    **_HAPPENED.c,
    "status": stored(DeliveryStatus.PENDING),
    "attempts": literal(0),
    "next_attempt_at": _HAPPENED.c.happened_at,
    "trace_context": bindparam("trace_context", type_=Text),
}
_EMIT = Statement[None](insert(_EVENTS).from_select(list(_NEW_EVENTS), select(*_NEW_EVENTS.values())))
_OFFER_OF_HOLDER = select(LeadOffer.id, LeadOffer.team_id).where(
    col(LeadOffer.lead_id) == bindparam("lead_id"), col(LeadOffer.user_id) == bindparam("user_id")
)


async def emit_offer_claimed(
    session: AsyncSession, lead_id: int, user_id: int, via: ClaimedVia, created_at: datetime, now: datetime
) -> None:
    """Emit `offer.claimed`: the user has claimed or was assigned the lead, which was created at `created_at`."""
    if not session.info.get(HAS_WEBHOOK):
        return
    values = {"lead_id": lead_id, "user_id": user_id}
    offer_id, team_id = (await session.exec(_OFFER_OF_HOLDER, params=values)).one()
    data = {
        "offerId": str(offer_id),
        "leadId": str(lead_id),
        "userId": str(user_id),
        "teamId": team_id and str(team_id),
        "claimedVia": via.name,
        "claimedAt": format_instant(now),
        "timeToClaim": whole_seconds_between(created_at, now),
    }
    await _emit(session, EventKind.OFFER_CLAIMED, [data], now)


async def emit_rollout_exhausted(session: AsyncSession, lead: Lead, now: datetime) -> None:
    """Emit `rollout.exhausted`."""
    data = {"leadId": str(lead.id), "creatorId": str(lead.creator_id), "exhaustedAt": format_instant(now)}
    await _emit(session, EventKind.ROLLOUT_EXHAUSTED, [data], now)


async def emit_rollout_passed_on(
    session: AsyncSession, lead_id: int, from_team_id: int, team_id: int, offer_ids: Sequence[int], now: datetime
) -> None:
    """Emit `rollout.passed_on`, for a step without offers, too."""
    data = {
        "leadId": str(lead_id),
        "fromTeamId": str(from_team_id),
        "teamId": str(team_id),
        "offerIds": [str(offer_id) for offer_id in offer_ids],
    }
    await _emit(session, EventKind.ROLLOUT_PASSED_ON, [data], now)


async def emit_deliveries_failed(session: AsyncSession, delivery_ids: Collection[int], now: datetime) -> None:
    """Emit `delivery.failed` for each delivery, all of which have failed for good."""
    if not delivery_ids or not session.info.get(HAS_WEBHOOK):
        return
    found = (
        select(Delivery, LeadOffer)
        .join(LeadOffer, col(LeadOffer.id) == col(Delivery.offer_id))
        .where(member_of(col(Delivery.id), delivery_ids))
        .order_by(col(Delivery.id))
    )
    failed = [
        {
            "deliveryId": str(delivery.id),
            "offerId": str(offer.id),
            "leadId": str(offer.lead_id),
            "userId": offer.user_id and str(offer.user_id),
            "channel": delivery.channel.name,
            "attempts": delivery.attempts,
            "error": delivery.error,
        }
        for delivery, offer in await session.exec(found, execution_options={"populate_existing": True})
    ]
    await _emit(session, EventKind.DELIVERY_FAILED, failed, now)


async def _emit(session: AsyncSession, kind: EventKind, data: Sequence[Mapping[str, Any]], now: datetime) -> None:
    if not data or not session.info.get(HAS_WEBHOOK):
        return
    payloads = [orjson.dumps({"type": kind, "timestamp": format_instant(now), "data": each}).decode() for each in data]
    happened = [(f"evt_{uuid4().hex}", kind, payload, now) for payload in payloads]
    await _EMIT.run(session, happened=happened, trace_context=tracing.trace_context())
