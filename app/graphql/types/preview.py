"""What a submit would do."""

from collections.abc import Callable
from datetime import datetime

import strawberry

from app.db import models
from app.domain import planner
from app.domain.enums import Channel
from app.graphql.context import Info
from app.graphql.fields import resolved
from app.graphql.types.leads import Lead, SkippedMember
from app.graphql.types.teams import Team, TeamWarning
from app.graphql.types.users import User


async def _user(planned: strawberry.Parent[planner.PlannedOffer], info: Info) -> models.User:
    return await info.context.loaders.user.load(planned.user_id)


def _alert(channel: Channel) -> Callable[[strawberry.Parent[planner.PlannedOffer]], bool]:
    def is_on(planned: strawberry.Parent[planner.PlannedOffer]) -> bool:
        return channel in planned.alerts.channels

    return is_on


@strawberry.type(description="An offer that a submit would make.")
class PlannedOffer:
    user: User = resolved(_user)
    notify_at: datetime
    rank: int | None = strawberry.field(description="Null unless the rollout would be by rank.")
    assign_automatically: bool
    has_call_alert: bool = resolved(_alert(Channel.CALL))
    has_text_alert: bool = resolved(_alert(Channel.TEXT))
    has_email_alert: bool = resolved(_alert(Channel.EMAIL))


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
