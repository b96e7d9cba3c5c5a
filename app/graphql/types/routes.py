"""Where leads come from, and who they are distributed to by that."""

import strawberry

from app import models
from app.graphql.context import Info
from app.graphql.enums import DistributionTarget, TeamSelectionMethod
from app.graphql.fields import resolved
from app.graphql.types.teams import Team

Row = strawberry.Parent[models.LeadRoute]


async def _lead_source(route: Row, info: Info) -> models.LeadSource | None:
    return None if route.lead_source_id is None else await info.context.loaders.lead_source.load(route.lead_source_id)


async def _team(route: Row, info: Info) -> models.Team | None:
    return None if route.team_id is None else await info.context.loaders.team.load(route.team_id)


@strawberry.type(description="Where leads come from, e.g. a portal.")
class LeadSource:
    id: strawberry.ID
    name: str


@strawberry.type(description="Who the leads of a source are distributed to. A new lead takes it over.")
class LeadRoute:
    id: strawberry.ID
    lead_source: LeadSource | None = resolved(_lead_source)
    distribution_target: DistributionTarget
    team_selection_method: TeamSelectionMethod | None
    team: Team | None = resolved(_team, "The team that is named, where the method is SPECIFIC_TEAM.")
    lead_type: str | None = strawberry.field(
        description="E.g. Buyer: the route serves only leads of this type; null serves all. REST spelling: filter."
    )


@strawberry.type(description="A page of a list: total counts every match, before limit and skip.")
class LeadRoutePage:
    total: int
    limit: int = strawberry.field(description="The limit in force: 100 at most.")
    skip: int
    data: list[LeadRoute]


@strawberry.type(description="A page of a list: total counts every match, before limit and skip.")
class LeadSourcePage:
    total: int
    limit: int = strawberry.field(description="The limit in force: 100 at most.")
    skip: int
    data: list[LeadSource]
