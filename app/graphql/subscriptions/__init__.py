"""Subscriptions: events about changes that the viewer can see.

Events carry state, not history: an event shows the offer or lead as it is when the event is sent. It therefore does no
harm if a client that asks for earlier changes receives one that it knows.
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
from app.domain.bounds import LONGEST_REPLAY_IN_SECONDS
from app.domain.identifiers import NO_ID, parse_id
from app.domain.timestamps import storable
from app.errors import ApiError, Code, Problem, bad_input
from app.graphql.context import Info
from app.graphql.enums import LeadOfferStatus
from app.graphql.fields import payload
from app.graphql.subscriptions.session import SubscriptionContext
from app.graphql.types.leads import Lead
from app.graphql.types.offers import LeadOffer

ReplaySinceArgument = Annotated[
    datetime | None,
    argument(
        description="Sends the changes since this time first. Pass `now` of the query whose result you show. Null "
        "counts as left out. CHANGES_MISSED if the server may not know all of these changes, as when it has just "
        f"started, or if the time is over {LONGEST_REPLAY_IN_SECONDS} seconds ago: subscribe without this argument, "
        "then query."
    ),
]


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
    replay_since: ReplaySinceArgument = UNSET,
) -> AsyncGenerator[LeadOfferChange, None]:
    lead = None if lead_id is None or lead_id is UNSET else parse_id(lead_id) or NO_ID
    changes = _offer_changes(cast(SubscriptionContext, info.context), lead, _parse_since(replay_since))
    await anext(changes)
    return cast(AsyncGenerator[LeadOfferChange, None], changes)


async def _offer_changes(
    context: SubscriptionContext, lead: int | None, replay_since: datetime | None
) -> AsyncGenerator[LeadOfferChange | None, None]:
    """Yield None once the subscription has begun, then the events. Raise CHANGES_MISSED before the first one."""
    session = context.session
    topic = session.services.hub.offers

    # Nothing is awaited before this line, so that no change is missed after the client's request was read.
    with topic.subscribe(context.viewer.id, lead, session.close, replay_since) as subscriber:
        yield None
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


def _parse_since(since: datetime | None) -> datetime | None:
    """Return the time, or None if it is left out or null. Raise BAD_USER_INPUT."""
    if since is None or since is UNSET:
        return None
    try:
        return storable(since)
    except ValueError as error:
        raise bad_input(Problem("replaySince", str(error))) from error


async def _find_offer(db: Database, viewer_id: int, offer_id: int) -> models.LeadOffer | None:
    query = select(models.LeadOffer).where(col(models.LeadOffer.id) == offer_id, visibility.offers(viewer_id))
    async with db.read() as session:
        return (await session.exec(query)).one_or_none()


@strawberry.type(
    description="A new lead, or a change of a lead or of an offer of it. Changes in quick succession may arrive as one."
)
class LeadChange:
    lead: Lead = strawberry.field(description="The lead, as it is when the event is sent.")
    is_new: bool = strawberry.field(description="Whether the lead was created.")
    changed_at: datetime = strawberry.field(description="When the lead was created or last changed.")


async def _lead_changed(
    info: Info,
    team_id: Annotated[
        strawberry.ID | None,
        argument(
            description="Sends only leads of this team: the leads whose team it is, and of the leads that you created "
            "those that it was offered last. NOT_FOUND if you cannot see the team. Null counts as left out."
        ),
    ] = UNSET,
    replay_since: ReplaySinceArgument = UNSET,
) -> AsyncGenerator[LeadChange, None]:
    team = None if team_id is None or team_id is UNSET else parse_id(team_id) or NO_ID
    changes = _lead_changes(cast(SubscriptionContext, info.context), team, _parse_since(replay_since))
    await anext(changes)
    return cast(AsyncGenerator[LeadChange, None], changes)


async def _lead_changes(
    context: SubscriptionContext, team: int | None, replay_since: datetime | None
) -> AsyncGenerator[LeadChange | None, None]:
    """Yield None once the subscription has begun, then the events. Raise NOT_FOUND, CHANGES_MISSED before the first."""
    session = context.session
    topic = session.services.hub.leads

    # Nothing is awaited before this line, so that no change is missed after the client's request was read.
    with topic.subscribe(context.viewer.id, team, session.close, replay_since) as subscriber:
        if team is not None:
            await _require_team(context.db, context.viewer.id, team)
        yield None
        while True:
            change = await subscriber.next()
            reads = subscriber.reads
            await context.refresh(reads)
            find = partial(_find_lead, context.db, context.viewer.id, change.lead_id, context.now)
            lead = await reads.once("lead", find)
            if lead is not None:
                await session.services.hub.turns.wait()
                yield payload(LeadChange, lead=lead, is_new=change.is_new, changed_at=change.changed_at)


async def _require_team(db: Database, viewer_id: int, team_id: int) -> None:
    query = select(models.Team.id).where(col(models.Team.id) == team_id, visibility.teams(viewer_id))
    async with db.read() as session:
        if (await session.exec(query)).one_or_none() is None:
            raise ApiError(Code.NOT_FOUND, "There is no team with this id.")


async def _find_lead(db: Database, viewer_id: int, lead_id: int, now: datetime) -> models.Lead | None:
    query = select(models.Lead).where(col(models.Lead.id) == lead_id, visibility.leads(viewer_id, now))
    async with db.read() as session:
        return (await session.exec(query)).one_or_none()


@strawberry.type(
    description="Subscriptions send events over a WebSocket (graphql-transport-ws) or as server-sent events."
)
class Subscription:
    lead_offer_changed: AsyncGenerator[LeadOfferChange, None] = strawberry.subscription(
        resolver=_lead_offer_changed,
        description="Sends each offer that you can see when it is made and whenever its status changes. After a lost "
        "connection, subscribe again and then query leadOffers. If you query before the first connection, "
        "replaySince brings what has changed since. Needs a token with the scope read.",
    )
    lead_changed: AsyncGenerator[LeadChange, None] = strawberry.subscription(
        resolver=_lead_changed,
        description="A lead that you can see was created or changed, or an offer of it did. State, not a log: after a "
        "lost connection, subscribe again and then query. If you query before the first connection, replaySince "
        "brings what has changed since. Needs a token with the scope read.",
    )
