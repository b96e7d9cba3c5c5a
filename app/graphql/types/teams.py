"""Teams, their members, and how each member is offered leads."""

from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Text, case, cast, exists, true
from sqlmodel import col

from app.access import field_access
from app.access.field_access import (
    NEXT_TEAM,
    TEAM_DETAILS,
    TEAM_WARNINGS,
    TURNS,
    WAITING_INVITATIONS,
    AccessContext,
)
from app.commands.team_warnings import warning_facts, warnings_of
from app.config import Settings
from app.db import models, turn_line
from app.domain.alert_channels import unserved
from app.domain.team_warnings import TeamWarning as TeamWarningRow
from app.graphql.enums import DeliveryStatus, OrderMethod, RequestStatus, TeamWarningCode
from app.graphql.fields import children, column, computed, derived, nested_page, reference, reference_by, restricted
from app.graphql.inputs.sort import DistributionOptionSort, TeamMemberSort
from app.graphql.inputs.where import DistributionOptionWhere, TeamMemberWhere
from app.graphql.types.page import Page
from app.graphql.types.users import User


def _warnings(facts: Any, settings: Settings) -> list[TeamWarningRow]:
    return warnings_of(facts, unserved(settings))


def _has_option(user: Any, team_id: Any) -> ColumnElement[bool]:
    """The user is one whom a warning of the team can be about."""
    option = models.DistributionOption
    return exists().where(col(option.user_id) == user.id, col(option.team_id) == team_id)


def _is_in_line(option: Any, _access: AccessContext) -> ColumnElement[bool]:
    return field_access.is_in_line(option)


def _stands_first(option: Any, _access: AccessContext) -> ColumnElement[Any]:
    return turn_line.standing(option).asc()


def _waits_longest(option: Any, _access: AccessContext) -> ColumnElement[Any]:
    return turn_line.last_taken_at(option).asc().nulls_first()


def _taken(option: Any, _access: AccessContext) -> ColumnElement[int]:
    return turn_line.taken(option)


def _is_waiting(invitation: Any, _access: AccessContext) -> ColumnElement[bool]:
    is_waiting: ColumnElement[bool] = invitation.removed_at.is_(None)
    return is_waiting


def _last_taken_at(option: Any, _access: AccessContext) -> ColumnElement[Any]:
    return turn_line.last_taken_at(option)


def _away_until(member: Any, access: AccessContext) -> ColumnElement[Any]:
    until: Any = models.User.away_until
    return field_access.state_of(member, case((until > access.now, until)), access.viewer_id)


ONLY_MEMBERS = "Null unless you created the team or accepted an invitation to it."


@strawberry.type(
    description="Users who share leads. A nullable field is null if you may not see it; an empty list means that there "
    "is nothing in it. Offers and leads still show a deleted team."
)
class Team:
    id: strawberry.ID = column("Unique id of the team.")
    name: str = column("Name of the team.")
    order_method: OrderMethod = column("Order in which members are offered a lead.")
    mins_until_next_alert: int = column(
        "Minutes between the offers to one rank and to the next, or from one turn to the next. 0 if orderMethod is "
        "TIME."
    )
    creator: User = reference("creator_id", models.User, "The user who created the team. Only they can change it.")
    created_at: datetime = column("When the team was created.")
    distribution_zipcodes: list[str] | None = children(
        models.TeamZipcode,
        "US ZIP codes, five digits each, in ascending order. Leads with one of them can be distributed to this team. "
        f"{ONLY_MEMBERS}",
        parent="team_id",
        column="zipcode",
        order=("zipcode",),
        rule=TEAM_DETAILS,
    )
    members: "Page[TeamMember] | None" = nested_page(
        models.TeamMember,
        f"The memberships of the team, whatever their status. The creator has none. {ONLY_MEMBERS}",
        parent="team_id",
        visible=lambda _access: true(),
        where_type=TeamMemberWhere,
        sort_type=TeamMemberSort,
        rule=TEAM_DETAILS,
    )
    distribution_options: "Page[DistributionOption] | None" = nested_page(
        models.DistributionOption,
        "How the team offers leads to each member. You see all of them if you created the team, and only your own if "
        f"you are a member. {ONLY_MEMBERS}",
        parent="team_id",
        visible=lambda access: field_access.distribution_options(access.viewer_id),
        where_type=DistributionOptionWhere,
        sort_type=DistributionOptionSort,
        rule=TEAM_DETAILS,
    )
    members_per_lead: int | None = column(
        "Number of members to whom a lead is offered at a time. Null for all members."
    )
    keeps_contacts: bool = column(
        "Whether the member who holds another lead of the same contact is offered a lead before the others."
    )
    next_team: "Team | None" = reference(
        "next_team_id",
        models.Team,
        "The team to which a lead goes on that nobody here claims. Null if there is none, and unless you created this "
        "team.",
        rule=NEXT_TEAM,
    )
    mins_until_next_team: int | None = restricted(
        "mins_until_next_team",
        NEXT_TEAM,
        "Minutes from the last offer until an unclaimed lead goes on to nextTeam. Null if there is none, and unless "
        "you created this team.",
    )
    turns: "list[Turn] | None" = children(
        models.DistributionOption,
        "The line of the team, as if nobody were away or had reached a maximum: its members who can be offered leads, "
        "first the one who has the next turn. Null unless you created the team and its orderMethod is ROUND_ROBIN.",
        parent="team_id",
        only=_is_in_line,
        order=(_stands_first, _waits_longest, "user_id"),
        rule=TURNS,
    )
    waiting_invitations: "list[WaitingInvitation] | None" = children(
        models.WaitingInvitation,
        "The invitations of people who have no account yet, oldest first. Null unless you created the team.",
        parent="team_id",
        only=_is_waiting,
        order=("id",),
        rule=WAITING_INVITATIONS,
    )
    warnings: "list[TeamWarning] | None" = derived(
        models.Team,
        lambda team, _access: cast(warning_facts(team), Text),
        _warnings,
        "Problems in the team's settings. Null unless you created the team.",
        related=_has_option,
        rule=TEAM_WARNINGS,
    )


@strawberry.type(
    description="A problem in a team's settings: something that does not work as it appears to. Warnings do not "
    "prevent a submit."
)
class TeamWarning:
    code: TeamWarningCode = column("Kind of the problem.")
    message: str = column("Description of the problem for the team's creator, in English.")
    user: User | None = reference(
        "user_id", models.User, "The user whom the warning is about. Null if it is not about one user."
    )
    zipcode: str | None = column("The ZIP code that the warning is about. Null if it is not about a ZIP code.")


@strawberry.type(description="A member's place in the line of a team that offers leads by turns.")
class Turn:
    user: User = reference("user_id", models.User, "The member.")
    weight: int = column("The member's share of the turns, beside the weights of the others.")
    taken: int = computed(
        models.DistributionOption, _taken, "Number of turns that the member has used: leads they were offered first."
    )
    last_taken_at: datetime | None = computed(
        models.DistributionOption, _last_taken_at, "When the member used their last turn. Null before the first one."
    )


@strawberry.type(description="A user's membership of a team. While requestStatus is PENDING, it is an invitation.")
class TeamMember:
    id: strawberry.ID = column("Unique id of the membership.")
    team: Team = reference("team_id", models.Team, "The team.")
    user: User = reference("user_id", models.User, "The invited user.")
    request_status: RequestStatus = column("State of the invitation.")
    distribution_option: "DistributionOption | None" = reference_by(
        models.TeamMember,
        lambda member, access: field_access.option_of(member, access.viewer_id),
        models.DistributionOption,
        "How the team offers leads to the member. Null unless you created the team or are the member, and where there "
        "is none. Team.distributionOptions has those of users who are no members, too.",
    )
    is_active: bool | None = computed(
        models.TeamMember,
        lambda member, access: field_access.state_of(member, models.User.is_active, access.viewer_id),
        "Whether the member's account is active. A submit skips inactive users. Null unless you created the team and "
        "the member has accepted.",
    )
    away_until: datetime | None = computed(
        models.TeamMember,
        _away_until,
        "Until when the member is away. Null unless you created the team and the member has accepted, and when not "
        "away.",
    )


@strawberry.type(
    description="An invitation to a team for an e-mail address that has no account yet. Once somebody has signed up "
    "with the address, they are a member whose requestStatus is PENDING, and this invitation is gone."
)
class WaitingInvitation:
    id: strawberry.ID = column("Unique id of the waiting invitation.")
    team: Team = reference("team_id", models.Team, "The team.")
    email: str = column("The invited e-mail address, in lower case.")
    invited_at: datetime = column("When the address was invited.")
    status: DeliveryStatus = column(
        "State of the e-mail that tells the person about it. PENDING until it is sent: an address gets at most one "
        "invitation e-mail a day. FAILED if it could not be sent; invite the address again to retry."
    )


@strawberry.type(description="How a team offers leads to one member, or to its creator.")
class DistributionOption:
    id: strawberry.ID = column("Unique id of the option.")
    team: Team = reference("team_id", models.Team, "The team.")
    user: User = reference("user_id", models.User, "The member, or the team's creator.")
    rank: int | None = column(
        "Lower ranks are offered leads first, and equal ranks at the same time; members without a rank (null) come "
        "last. Has no effect unless the team's orderMethod is RANK."
    )
    mins_until_lead_offer: int = column(
        "Minutes from the submit until the member is offered a lead. 0 unless the team's orderMethod is TIME."
    )
    weight: int = column(
        "The member's share of the turns: a member of weight 2 gets twice as many as one of weight 1. Has no effect "
        "unless the team's orderMethod is ROUND_ROBIN."
    )
    max_leads_per_day: int | None = column(
        "Number of leads that the member can get by offers of the team on one day in their time zone. Once it is "
        "reached, a submit skips the member. Null for any number."
    )
    assign_automatically: bool = column(
        "Whether the lead, if still unclaimed, is assigned to the member when their offer is due."
    )
    has_call_alert: bool = column("Whether the member is notified by a phone call.")
    has_text_alert: bool = column("Whether the member is notified by text message.")
    has_email_alert: bool = column("Whether the member is notified by e-mail.")
