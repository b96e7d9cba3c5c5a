"""Subscriptions: events about changes that the viewer can see.

Events carry state, not history: an event shows the offer as it is when the event is sent, and no event is repeated.
"""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import cast

import strawberry
from sqlmodel import col, select
from strawberry import UNSET

from app.access import visibility
from app.db import models
from app.domain.identifiers import parse_id
from app.graphql.context import Info
from app.graphql.enums import LeadOfferStatus
from app.graphql.fields import payload
from app.graphql.subscriptions.session import SubscriptionContext
from app.graphql.types.offers import LeadOffer

NO_LEAD = 0
"""Replaces a lead id that is not valid: no offer belongs to this lead."""


@strawberry.type(
    description="An offer that was made, or whose status changed. Changes in quick succession may arrive as one."
)
class LeadOfferChange:
    lead_offer: LeadOffer = strawberry.field(description="The offer as it is when this event is sent.")
    previous_status: LeadOfferStatus | None = strawberry.field(
        description="The status before the change. Null if the offer is new."
    )
    changed_at: datetime = strawberry.field(description="When the offer last changed.")


async def _lead_offer_changed(
    info: Info, lead_id: strawberry.ID | None = UNSET
) -> AsyncGenerator[LeadOfferChange, None]:
    context = cast(SubscriptionContext, info.context)
    session = context.session
    lead = None if lead_id is None or lead_id is UNSET else parse_id(lead_id) or NO_LEAD

    # Nothing is awaited before this line, so that no change is missed after the client's request was read.
    with session.services.hub.subscribe(context.viewer.id, lead, session.close) as subscriber:
        while True:
            change = await subscriber.next()
            await context.refresh()
            can_see = visibility.offers(context.viewer.id)
            query = select(models.LeadOffer).where(col(models.LeadOffer.id) == change.offer_id, can_see)
            async with context.db.read() as db_session:
                offer = (await db_session.exec(query)).one_or_none()
            if offer is not None:
                yield payload(
                    LeadOfferChange,
                    lead_offer=offer,
                    previous_status=change.previous_status,
                    changed_at=change.changed_at,
                )


@strawberry.type
class Subscription:
    lead_offer_changed: AsyncGenerator[LeadOfferChange, None] = strawberry.subscription(
        resolver=_lead_offer_changed,
        description="Sends every offer that you can see when it is made and each time its status changes; with leadId, "
        "the offers of that lead only. Events are not replayed: query the current state after each (re)connection.",
    )
