"""The preview of a submit."""

from collections.abc import Callable
from datetime import datetime

import strawberry

from app.commands import preview
from app.db import models
from app.domain import planner
from app.domain.enums import Channel
from app.graphql.context import Info
from app.graphql.fields import column, resolved
from app.graphql.types.leads import Lead, SkippedMember
from app.graphql.types.teams import Team, TeamWarning
from app.graphql.types.users import User


async def _user(planned: strawberry.Parent[planner.PlannedOffer], info: Info) -> models.User:
    user: models.User = await info.context.loaders.row(models.User).load(planned.user_id)
    return user


def _alert(channel: Channel) -> Callable[[strawberry.Parent[planner.PlannedOffer]], bool]:
    def is_on(planned: strawberry.Parent[planner.PlannedOffer]) -> bool:
        return channel in planned.alerts.channels

    return is_on


@strawberry.type(description="An offer that a submit would make.")
class PlannedOffer:
    user: User = resolved(_user, "The user to whom the lead would be offered.")
    notify_at: datetime = column("When the user would be notified.")
    rank: int | None = column(
        "The user's rank or, in a team by turns, their place in the line: from 1, and 0 for the contact's agent. "
        "Null if they have none, or if the team's orderMethod is TIME."
    )
    assign_automatically: bool = column(
        "Whether the lead, if still unclaimed, would be assigned to the user at notifyAt."
    )
    has_call_alert: bool = resolved(_alert(Channel.CALL), "Whether the user would be notified by a phone call.")
    has_text_alert: bool = resolved(_alert(Channel.TEXT), "Whether the user would be notified by text message.")
    has_email_alert: bool = resolved(_alert(Channel.EMAIL), "Whether the user would be notified by e-mail.")
    keeps_contact: bool = column(
        "Whether the user comes before the others because they hold another lead of the contact."
    )


@strawberry.type(description="A team that had nobody to offer the lead to.")
class PassedOverTeam:
    team: Team = column("The team.")
    skipped: list[SkippedMember] = column("Its members, and other users with a distribution option, with the reason.")


@strawberry.type(description="A step that follows if nobody takes the lead, as things stand now.")
class PlannedStep:
    team: Team = column("The team that would be offered the lead.")
    starts_at: datetime = column("When the step would begin: the team before it has had its time then.")
    offers: list[PlannedOffer] = column(
        "The offers that would be made, ordered by notifyAt, then rank. Empty if nobody is eligible: the next team is "
        "then asked at once."
    )
    skipped: list[SkippedMember] = column("The members who would get no offer, with the reason.")


async def _turn_of(planned: strawberry.Parent[preview.Preview], info: Info) -> models.User | None:
    if planned.turn_user_id is None:
        return None
    user: models.User = await info.context.loaders.row(models.User).load(planned.turn_user_id)
    return user


@strawberry.type(description="Preview of submitLeadOffers at a given time. Nothing has been written.")
class LeadOfferPlan:
    lead: Lead = column("The lead.")
    team: Team = column("The team that would be chosen: the first of the chain with somebody to offer the lead to.")
    offers: list[PlannedOffer] = column(
        "The offers that would be made, ordered by notifyAt, then rank. Empty if nobody is eligible."
    )
    skipped: list[SkippedMember] = column("The members who would get no new offer, with the reason.")
    warnings: list[TeamWarning] = column("The team's warnings that affect this lead.")
    turn_of: User | None = resolved(_turn_of, "The member whose turn it would use. Null if it would use nobody's.")
    passed_over: list[PassedOverTeam] = column("The teams before the chosen one that have nobody, in order.")
    next: list[PlannedStep] = column(
        "The steps that follow if nobody takes the lead, in order. After the last one, the creator is notified."
    )
