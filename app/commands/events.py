"""Events: what has happened, for the webhook, written in the transaction in which it happens.

Where there is no webhook nothing is written. Ids and enums are spelled as GraphQL spells them; there is nothing in them
of how to reach anybody.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy import bindparam, insert
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.engine import HAS_WEBHOOK
from app.db.functions import member_of
from app.db.models import Delivery, Lead, LeadOffer
from app.domain.enums import ClaimedVia, DeliveryStatus, EventKind
from app.domain.timestamps import format_instant

_NEW = insert(SQLModel.metadata.tables["events"])
_HOLDERS_OFFER = select(LeadOffer.id, LeadOffer.team_id).where(
    col(LeadOffer.lead_id) == bindparam("lead_id"), col(LeadOffer.user_id) == bindparam("user_id")
)


async def offer_claimed(
    session: AsyncSession, lead_id: int, user_id: int, via: ClaimedVia, created_at: datetime, now: datetime
) -> None:
    """The user has taken the lead, which was created at `created_at`, or was given it."""
    if not session.info.get(HAS_WEBHOOK):
        return
    wanted = {"lead_id": lead_id, "user_id": user_id}
    offer_id, team_id = (await session.exec(_HOLDERS_OFFER, params=wanted)).one()
    claimed = {
        "offerId": str(offer_id),
        "leadId": str(lead_id),
        "userId": str(user_id),
        "teamId": team_id and str(team_id),
        "claimedVia": via.name,
        "claimedAt": format_instant(now),
        "timeToClaim": int((now - created_at).total_seconds()),
    }
    await _emit(session, EventKind.OFFER_CLAIMED, [claimed], now)


async def rollouts_exhausted(session: AsyncSession, leads: Sequence[Lead], now: datetime) -> None:
    """Nobody takes the leads."""
    exhausted = [
        {"leadId": str(lead.id), "creatorId": str(lead.creator_id), "exhaustedAt": format_instant(now)}
        for lead in leads
    ]
    await _emit(session, EventKind.ROLLOUT_EXHAUSTED, exhausted, now)


async def deliveries_failed(session: AsyncSession, delivery_ids: Collection[int], now: datetime) -> None:
    """The deliveries have failed for good: their users were not told on these channels."""
    if not delivery_ids or not session.info.get(HAS_WEBHOOK):
        return
    found = (
        select(Delivery, LeadOffer)
        .join(LeadOffer, col(LeadOffer.id) == col(Delivery.offer_id))
        .where(member_of(col(Delivery.id), delivery_ids))
        .order_by(col(Delivery.id))
    )
    rows = await session.exec(found, execution_options={"populate_existing": True})
    failed = [_failed(delivery, offer) for delivery, offer in rows]
    await _emit(session, EventKind.DELIVERY_FAILED, failed, now)


def _failed(delivery: Delivery, offer: LeadOffer) -> dict[str, Any]:
    return {
        "deliveryId": str(delivery.id),
        "offerId": str(offer.id),
        "leadId": str(offer.lead_id),
        "userId": offer.user_id and str(offer.user_id),
        "channel": delivery.channel.name,
        "attempts": delivery.attempts,
        "error": delivery.error,
    }


async def _emit(session: AsyncSession, kind: EventKind, happened: Sequence[Mapping[str, Any]], now: datetime) -> None:
    if not happened or not session.info.get(HAS_WEBHOOK):
        return
    rows = [
        {
            "key": f"evt_{uuid4().hex}",
            "kind": kind,
            "payload": orjson.dumps({"type": kind, "timestamp": format_instant(now), "data": data}).decode(),
            "happened_at": now,
            "status": DeliveryStatus.PENDING,
            "attempts": 0,
            "next_attempt_at": now,
        }
        for data in happened
    ]
    await session.exec(_NEW, params=rows)
