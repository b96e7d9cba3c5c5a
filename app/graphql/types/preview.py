"""What a submit would do."""

from datetime import datetime

import strawberry

from app.db import models
from app.domain import planner
from app.graphql.context import Info
from app.graphql.fields import resolved
from app.graphql.types.leads import Lead, SkippedMember
from app.graphql.types.teams import Team, TeamWarning
from app.graphql.types.users import User


async def _user(planned: strawberry.Parent[planner.PlannedOffer], info: Info) -> models.User:
    return await info.context.loaders.row(models.User).load(planned.user_id)


@strawberry.type(description="An offer that a submit would make.")
class PlannedOffer:
    user: User = resolved(_user, "The member.")
    notify_at: datetime
    rank: int | None = strawberry.field(description="Null unless the rollout would be by rank.")
    assign_automatically: bool
    has_call_alert: bool
    has_text_alert: bool
    has_email_alert: bool


@strawberry.type(
    description="What submitLeadOffers would do; nothing is written. Where nobody is eligible, offers is empty and "
    "skipped says why."
)
class LeadOfferPlan:
    lead: Lead
    team: Team = strawberry.field(description="The team that would be chosen.")
    offers: list[PlannedOffer] = strawberry.field(description="In the order of notifyAt, then rank.")
    skipped: list[SkippedMember] = strawberry.field(description="Who would get no new offer, and why.")
    warnings: list[TeamWarning] = strawberry.field(description="The team's warnings that bear on this lead.")
