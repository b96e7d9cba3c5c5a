"""Leads, and what was done with each."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from app.access import visibility
from app.access.field_access import ROLLOUTS
from app.db import models
from app.db.functions import seconds_between
from app.graphql.context import Info
from app.graphql.enums import ClaimedVia, DistributionTarget, SkipReason, TeamSelectionMethod
from app.graphql.fields import reference, resolved
from app.graphql.inputs.pagination import parse_page
from app.graphql.inputs.sort import LeadOfferSort
from app.graphql.inputs.where import LeadOfferWhere
from app.graphql.types.contacts import Contact
from app.graphql.types.routes import LeadSource
from app.graphql.types.teams import Team
from app.graphql.types.users import User
from app.lists.pagination import Page

if TYPE_CHECKING:
    from app.graphql.types.offers import LeadOffer, LeadOfferPage

Row = strawberry.Parent[models.Lead]
RolloutRow = strawberry.Parent[models.LeadRollout]


def _time_to_claim(lead: Row) -> int | None:
    return None if lead.claimed_at is None else int((lead.claimed_at - lead.created_at).total_seconds())


async def _offers(
    lead: Row,
    info: Info,
    where: LeadOfferWhere | None = UNSET,
    sort: list[LeadOfferSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> Page[models.LeadOffer]:
    page = parse_page(where, sort, limit, skip)
    found = visibility.offers(info.context.viewer.id)
    return await info.context.loaders.pages(models.LeadOffer, "lead_id", found, page).load(lead.id)


async def _rollouts(lead: Row, info: Info) -> Sequence[models.LeadRollout] | None:
    if not await info.context.can_read(lead, ROLLOUTS):
        return None
    return await info.context.loaders.rollouts.load(lead.id)


async def _created_offers(rollout: RolloutRow, info: Info) -> Sequence[models.LeadOffer]:
    return await info.context.loaders.created_offers.load(rollout.id)


async def _skipped(rollout: RolloutRow, info: Info) -> Sequence[models.RolloutSkip]:
    return await info.context.loaders.skipped.load(rollout.id)


@strawberry.type(description="A member of the team who got no new offer, and why.")
class SkippedMember:
    user: User = reference("user_id", models.User, "The member.")
    reason: SkipReason


@strawberry.type(
    description="What one submit did, written when it was done: why the lead went to one and not to another."
)
class LeadRollout:
    id: strawberry.ID
    submitted_at: datetime
    team: Team = reference("team_id", models.Team, "The team.")
    team_selection_method: TeamSelectionMethod
    created_offers: list[Annotated["LeadOffer", strawberry.lazy("app.graphql.types.offers")]] = resolved(
        _created_offers, "As they are now, in the order of notifyAt, then id."
    )
    skipped: list[SkippedMember] = resolved(_skipped, "Who got no new offer, and why.")


@strawberry.type(description="One enquiry of a contact.")
class Lead:
    id: strawberry.ID
    contact: Contact = reference("contact_id", models.Contact, "The contact.")
    creator: User = reference("creator_id", models.User, "Who entered the lead and may submit it.")
    source: LeadSource | None = reference("source_id", models.LeadSource, "The source.")
    distribution_target: DistributionTarget
    team_selection_method: TeamSelectionMethod | None
    team: Team | None = reference("team_id", models.Team, "The team that is named, where the method is SPECIFIC_TEAM.")
    zipcode: str | None = strawberry.field(description="Five digits.")
    type: str | None = strawberry.field(description="E.g. Buyer.")
    created_at: datetime
    claimed_by: User | None = reference(
        "claimed_by_id", models.User, "Who has the lead now. Shown to everyone who sees the lead."
    )
    claimed_at: datetime | None
    claimed_via: ClaimedVia | None = strawberry.field(description="Null while nobody has the lead.")
    time_to_claim: int | None = resolved(
        _time_to_claim,
        "Seconds from creation to claim.",
        lambda lead, _asker: seconds_between(lead.created_at, lead.claimed_at),
    )
    offers: Annotated["LeadOfferPage", strawberry.lazy("app.graphql.types.offers")] = resolved(
        _offers, description="Those that you may see."
    )
    rollouts: list[LeadRollout] | None = resolved(
        _rollouts, "Every submit that made offers, oldest first. Null unless you created the lead."
    )


@strawberry.type(description="A page of a list: total counts every match, before limit and skip.")
class LeadPage:
    total: int
    limit: int = strawberry.field(description="The limit in force: 100 at most.")
    skip: int
    data: list[Lead]
