"""Lead offers, and the deliveries that notify their users."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, and_, exists, select
from sqlmodel import col

from app.access.field_access import AccessContext
from app.commands.offer_standing import claim_succeeds
from app.db import models
from app.graphql.enums import Channel, DeliveryStatus, LeadOfferStatus
from app.graphql.fields import children, column, computed, reference
from app.graphql.types.teams import Team
from app.graphql.types.users import User

if TYPE_CHECKING:
    from app.graphql.types.leads import Lead


def _viewer_can_claim(offer: Any, context: AccessContext) -> ColumnElement[bool]:
    succeeds = claim_succeeds(context.viewer_id, context.now)
    return and_(context.may_write, exists(select(1).where(col(models.LeadOffer.id) == offer.id, succeeds)))


@strawberry.type(
    description="The attempts to notify an offer's user on one channel. Delivery is at least once: if the server "
    "crashes while sending, a message may arrive twice."
)
class Delivery:
    id: strawberry.ID = column("Unique id of the delivery.")
    channel: Channel = column("The channel on which the user is notified.")
    status: DeliveryStatus = column("State of the delivery.")
    attempts: int = column("Number of attempts so far, at most 5.")
    next_attempt_at: datetime | None = column("When the next attempt is due. Null unless status is PENDING.")
    sent_at: datetime | None = column("When the provider accepted the message. Null if it has not.")
    error: str | None = column(
        "Why the last attempt failed, in the server's own words: never an address, a phone number or a provider's "
        "message. Null if no attempt failed."
    )


@strawberry.type(description="The number of lead offers with a status.")
class LeadOfferCount:
    status: LeadOfferStatus = column("The status.")
    count: int = column("Number of lead offers that have it, at least 1.")


@strawberry.type(
    description="A lead offered to a user: the user is notified at notifyAt and may claim the lead from then on. A "
    "user has at most one offer of a lead."
)
class LeadOffer:
    id: strawberry.ID = column("Unique id of the offer.")
    lead: Annotated["Lead", strawberry.lazy("app.graphql.types.leads")] = reference(
        "lead_id", models.Lead, "The offered lead."
    )
    user: User | None = reference(
        "user_id", models.User, "The user to whom the lead is offered. Null only for imported offers without a user."
    )
    team: Team | None = reference(
        "team_id", models.Team, "The team whose rollout made the offer. Null if no team was involved."
    )
    notify_at: datetime | None = column(
        "When the user is notified, or was. Quiet hours may delay the message, not the offer. Null only for imported "
        "offers without a time."
    )
    rank: int | None = column(
        "The user's rank when the offer was made or, in a team by turns, their place in the line: from 1, and 0 for "
        "the contact's agent. Null if they had none, or if the team's orderMethod was TIME."
    )
    assign_automatically: bool = column(
        "Whether the lead, if still unclaimed, is assigned to the user when the offer is due."
    )
    has_call_alert: bool | None = column(
        "Whether the user is notified by a phone call. Null if an import left it open."
    )
    has_text_alert: bool | None = column(
        "Whether the user is notified by text message. Null if an import left it open."
    )
    has_email_alert: bool | None = column("Whether the user is notified by e-mail. Null if an import left it open.")
    status: LeadOfferStatus = column("State of the offer.")
    viewer_can_claim: bool = computed(
        models.LeadOffer,
        _viewer_can_claim,
        "Whether claimLeadOffer would succeed for you now, by the server's clock. Also true while you hold the lead. "
        "Always false if your token lacks the scope write.",
    )
    deliveries: list[Delivery] = children(
        models.Delivery,
        "The deliveries of the offer, oldest first: one per channel, and another each time the user is notified again.",
        parent="offer_id",
        order=("id",),
    )
