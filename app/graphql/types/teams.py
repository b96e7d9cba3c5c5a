"""Teams, their members, and how each member is offered leads."""

from collections.abc import Sequence
from datetime import datetime

import strawberry
from sqlalchemy import true

from app.access import field_access
from app.access.field_access import TEAM_DETAILS, TEAM_WARNINGS
from app.db import models
from app.domain.team_warnings import TeamWarning as TeamWarningRow
from app.graphql.context import Info
from app.graphql.enums import OrderMethod, RequestStatus, TeamWarningCode
from app.graphql.fields import children, column, nested_page, reference, resolved
from app.graphql.inputs.sort import DistributionOptionSort, TeamMemberSort
from app.graphql.inputs.where import DistributionOptionWhere, TeamMemberWhere
from app.graphql.types.page import Page
from app.graphql.types.users import User

TeamRow = strawberry.Parent[models.Team]


async def _warnings(team: TeamRow, info: Info) -> Sequence[TeamWarningRow] | None:
    if not await info.context.can_read(team, TEAM_WARNINGS):
        return None
    return await info.context.loaders.warnings.load(team.id)


async def _warned_user(warning: strawberry.Parent[TeamWarningRow], info: Info) -> models.User | None:
    if warning.user_id is None:
        return None
    user: models.User = await info.context.loaders.row(models.User).load(warning.user_id)
    return user


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
        "Minutes between the offers to one rank and to the next. 0 unless orderMethod is RANK."
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
    warnings: "list[TeamWarning] | None" = resolved(
        _warnings, "Problems in the team's settings. Null unless you created the team."
    )


@strawberry.type(
    description="A problem in a team's settings: something that does not work as it appears to. Warnings do not "
    "prevent a submit."
)
class TeamWarning:
    code: TeamWarningCode = column("Kind of the problem.")
    message: str = column("Description of the problem for the team's creator, in English.")
    user: User | None = resolved(_warned_user, "The user whom the warning is about. Null if it is not about one user.")
    zipcode: str | None = column("The ZIP code that the warning is about. Null if it is not about a ZIP code.")


@strawberry.type(description="A user's membership of a team. While requestStatus is PENDING, it is an invitation.")
class TeamMember:
    id: strawberry.ID = column("Unique id of the membership.")
    team: Team = reference("team_id", models.Team, "The team.")
    user: User = reference("user_id", models.User, "The invited user.")
    request_status: RequestStatus = column("State of the invitation.")


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
    assign_automatically: bool = column(
        "Whether the lead, if still unclaimed, is assigned to the member when their offer is due."
    )
    has_call_alert: bool = column("Whether the member is notified by a phone call.")
    has_text_alert: bool = column("Whether the member is notified by text message.")
    has_email_alert: bool = column("Whether the member is notified by e-mail.")
