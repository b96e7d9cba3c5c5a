"""Teams, their members, and how each member is offered leads."""

from collections.abc import Sequence
from datetime import datetime

import strawberry
from sqlalchemy import true
from strawberry import UNSET

from app.access import field_access
from app.access.field_access import TEAM_DETAILS, TEAM_WARNINGS
from app.db import models
from app.domain.team_warnings import TeamWarning as TeamWarningRow
from app.graphql.context import Info
from app.graphql.enums import OrderMethod, RequestStatus, TeamWarningCode
from app.graphql.fields import reference, resolved
from app.graphql.inputs.pagination import parse_page
from app.graphql.inputs.sort import DistributionOptionSort, TeamMemberSort
from app.graphql.inputs.where import DistributionOptionWhere, TeamMemberWhere
from app.graphql.types.users import User
from app.lists.pagination import Page

TeamRow = strawberry.Parent[models.Team]


async def _distribution_zipcodes(team: TeamRow, info: Info) -> Sequence[str] | None:
    if not await info.context.can_read(team, TEAM_DETAILS):
        return None
    return [row.zipcode for row in await info.context.loaders.zipcodes.load(team.id)]


async def _members(
    team: TeamRow,
    info: Info,
    where: TeamMemberWhere | None = UNSET,
    sort: list[TeamMemberSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> Page[models.TeamMember] | None:
    page = parse_page(where, sort, limit, skip)
    if not await info.context.can_read(team, TEAM_DETAILS):
        return None
    return await info.context.loaders.pages(models.TeamMember, "team_id", true(), page).load(team.id)


async def _distribution_options(
    team: TeamRow,
    info: Info,
    where: DistributionOptionWhere | None = UNSET,
    sort: list[DistributionOptionSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> Page[models.DistributionOption] | None:
    page = parse_page(where, sort, limit, skip)
    if not await info.context.can_read(team, TEAM_DETAILS):
        return None
    found = field_access.distribution_options(info.context.viewer.id)
    return await info.context.loaders.pages(models.DistributionOption, "team_id", found, page).load(team.id)


async def _warnings(team: TeamRow, info: Info) -> Sequence[TeamWarningRow] | None:
    if not await info.context.can_read(team, TEAM_WARNINGS):
        return None
    return await info.context.loaders.warnings.load(team.id)


async def _warned_user(warning: strawberry.Parent[TeamWarningRow], info: Info) -> models.User | None:
    return None if warning.user_id is None else await info.context.loaders.row(models.User).load(warning.user_id)


@strawberry.type(
    description="Users who share leads. A field that is null is not yours to see; an empty list means that there is "
    "nothing."
)
class Team:
    id: strawberry.ID
    name: str
    order_method: OrderMethod
    mins_until_next_alert: int = strawberry.field(
        description="Minutes until an unclaimed lead is offered to the next rank. Zero unless orderMethod is RANK."
    )
    creator: User = reference("creator_id", models.User, "Who alone may change the team.")
    created_at: datetime
    distribution_zipcodes: list[str] | None = resolved(
        _distribution_zipcodes,
        description="Null unless you created the team or have accepted its invitation.",
    )
    members: "TeamMemberPage | None" = resolved(
        _members,
        description="Whatever their status; the creator is not among them. Null unless you created the team or have "
        "accepted its invitation.",
    )
    distribution_options: "DistributionOptionPage | None" = resolved(
        _distribution_options,
        description="All of them for the team's creator, their own for an accepted member, null for everybody else.",
    )

    warnings: "list[TeamWarning] | None" = resolved(_warnings, "Null unless you created the team.")


@strawberry.type(description="Something in a team's settings that will not do what it seems to. It forbids nothing.")
class TeamWarning:
    code: TeamWarningCode
    message: str = strawberry.field(description="In words for the team's creator.")
    user: User | None = resolved(_warned_user, "Whom it is about, if it is about somebody.")
    zipcode: str | None


@strawberry.type(description="A user's membership of a team. While it is PENDING it is an invitation.")
class TeamMember:
    id: strawberry.ID
    team: Team = reference("team_id", models.Team, "The team.")
    user: User = reference("user_id", models.User, "The user.")
    request_status: RequestStatus


@strawberry.type(description="The rule by which one member of a team is offered leads.")
class DistributionOption:
    id: strawberry.ID
    team: Team = reference("team_id", models.Team, "The team.")
    user: User = reference("user_id", models.User, "The user.")
    rank: int | None = strawberry.field(
        description="Lowest first; equal ranks are offered together, members without a rank last. Only used when the "
        "team's orderMethod is RANK."
    )
    mins_until_lead_offer: int = strawberry.field(
        description="Minutes from the submit. Only used when the team's orderMethod is TIME."
    )
    assign_automatically: bool = strawberry.field(
        description="Whether an unclaimed lead is given to the member by itself when the offer is due."
    )
    has_call_alert: bool
    has_text_alert: bool
    has_email_alert: bool


@strawberry.type(description="A page of a list: total counts every match, before limit and skip.")
class TeamPage:
    total: int
    limit: int = strawberry.field(description="The limit in force: 100 at most.")
    skip: int
    data: list[Team]


@strawberry.type(description="A page of a list: total counts every match, before limit and skip.")
class TeamMemberPage:
    total: int
    limit: int = strawberry.field(description="The limit in force: 100 at most.")
    skip: int
    data: list[TeamMember]


@strawberry.type(description="A page of a list: total counts every match, before limit and skip.")
class DistributionOptionPage:
    total: int
    limit: int = strawberry.field(description="The limit in force: 100 at most.")
    skip: int
    data: list[DistributionOption]
