"""Lead offers and the deliveries that tell of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, and_, exists, select
from sqlmodel import col

from app.access.field_access import AccessContext
from app.commands.eligibility import claim_succeeds
from app.db import models
from app.graphql.context import Info
from app.graphql.enums import Channel, DeliveryStatus, LeadOfferStatus
from app.graphql.fields import computed, reference, resolved
from app.graphql.types.teams import Team
from app.graphql.types.users import User

if TYPE_CHECKING:
    from app.graphql.types.leads import Lead

Row = strawberry.Parent[models.LeadOffer]


async def _deliveries(offer: Row, info: Info) -> Sequence[models.Delivery]:
    return await info.context.loaders.deliveries.load(offer.id)


def _viewer_can_claim(offer: Any, context: AccessContext) -> ColumnElement[bool]:
    succeeds = claim_succeeds(context.viewer_id, context.now)
    return and_(context.may_write, exists(select(1).where(col(models.LeadOffer.id) == offer.id, succeeds)))


@strawberry.type(description="The attempts to reach an offer's user on one channel.")
class Delivery:
    id: strawberry.ID
    channel: Channel
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None = strawberry.field(description="When the next attempt is due, while PENDING.")
    sent_at: datetime | None
    error: str | None = strawberry.field(
        description="In our own words; never an address, a number or the provider's text."
    )


@strawberry.type(
    description="The offer of a lead to a user: a notification that was sent, or will be at notifyAt. At most one for "
    "a lead and a user."
)
class LeadOffer:
    id: strawberry.ID
    lead: Annotated["Lead", strawberry.lazy("app.graphql.types.leads")] = reference("lead_id", models.Lead, "The lead.")
    user: User | None = reference("user_id", models.User, "Null only in imported offers that named nobody.")
    team: Team | None = reference("team_id", models.Team, "The team.")
    notify_at: datetime | None = strawberry.field(description="When the user is told, or was.")
    rank: int | None = strawberry.field(description="Null unless the rollout was by rank.")
    assign_automatically: bool = strawberry.field(
        description="Whether the lead is given to the user by itself when the offer is due."
    )
    has_call_alert: bool | None
    has_text_alert: bool | None
    has_email_alert: bool | None
    status: LeadOfferStatus
    viewer_can_claim: bool = computed(
        models.LeadOffer,
        _viewer_can_claim,
        "Whether claimLeadOffer would succeed for you now, by the server's clock; also while you have the lead.",
    )
    deliveries: list[Delivery] = resolved(_deliveries, description="One a channel and sending.")


@strawberry.type(description="A page of a list: total counts every match, before limit and skip.")
class LeadOfferPage:
    total: int
    limit: int = strawberry.field(description="The limit in force: 100 at most.")
    skip: int
    data: list[LeadOffer]
