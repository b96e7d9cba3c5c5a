"""Subscriptions: events about changes that the viewer can see.

Events carry state, not history: an event shows the offer as it is when the event is sent, and no event is repeated.
"""

from collections.abc import AsyncGenerator
from datetime import datetime
from functools import partial
from typing import Annotated, cast

import strawberry
from sqlmodel import col, select
from strawberry import UNSET, argument

from app.access import visibility
from app.db import models
from app.db.engine import Database
from app.domain.identifiers import NO_ID, parse_id
from app.graphql.context import Info
from app.graphql.enums import LeadOfferStatus
from app.graphql.fields import payload
from app.graphql.subscriptions.session import SubscriptionContext
from app.graphql.types.offers import LeadOffer


@strawberry.type(
    description="A new offer, or a change of an offer's status. Changes in quick succession may arrive as one."
)
class LeadOfferChange:
    lead_offer: LeadOffer = strawberry.field(description="The offer, as it is when the event is sent.")
    previous_status: LeadOfferStatus | None = strawberry.field(
        description="Status before the change. Null if the offer is new."
    )
    changed_at: datetime = strawberry.field(description="When the offer was made or its status last changed.")


async def _lead_offer_changed(
    info: Info,
    lead_id: Annotated[
        strawberry.ID | None, argument(description="Sends only the offers of this lead. Null counts as left out.")
    ] = UNSET,
) -> AsyncGenerator[LeadOfferChange, None]:
    context = cast(SubscriptionContext, info.context)
    session = context.session
    lead = None if lead_id is None or lead_id is UNSET else parse_id(lead_id) or NO_ID

    # Nothing is awaited before this line, so that no change is missed after the client's request was read.
    with session.services.hub.subscribe(context.viewer.id, lead, session.close) as subscriber:
        while True:
            change = await subscriber.next()
            reads = subscriber.reads
            await context.refresh(reads)
            offer = await reads.once("offer", partial(_find_offer, context.db, context.viewer.id, change.offer_id))
            if offer is not None:
                await session.services.hub.turns.wait()
                yield payload(
                    LeadOfferChange,
                    lead_offer=offer,
                    previous_status=change.previous_status,
                    changed_at=change.changed_at,
                )


async def _find_offer(db: Database, viewer_id: int, offer_id: int) -> models.LeadOffer | None:
    query = select(models.LeadOffer).where(col(models.LeadOffer.id) == offer_id, visibility.offers(viewer_id))
    async with db.read() as session:
        return (await session.exec(query)).one_or_none()


@strawberry.type(
    description="Subscriptions send events over a WebSocket (graphql-transport-ws) or as server-sent events."
)
class Subscription:
    lead_offer_changed: AsyncGenerator[LeadOfferChange, None] = strawberry.subscription(
        resolver=_lead_offer_changed,
        description="Sends each offer that you can see when it is made and whenever its status changes. Changes that "
        "happen while you are not connected are not replayed: query leadOffers after every connection. Needs a token "
        "with the scope read.",
    )
