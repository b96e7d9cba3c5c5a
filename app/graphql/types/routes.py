"""Where leads come from, and who they are distributed to by that."""

import strawberry

from app.db import models
from app.graphql.enums import DistributionTarget, TeamSelectionMethod
from app.graphql.fields import reference
from app.graphql.types.teams import Team


@strawberry.type(description="Where leads come from, e.g. a portal.")
class LeadSource:
    id: strawberry.ID
    name: str


@strawberry.type(description="Who the leads of a source are distributed to. A new lead takes it over.")
class LeadRoute:
    id: strawberry.ID
    lead_source: LeadSource | None = reference("lead_source_id", models.LeadSource, "The source.")
    distribution_target: DistributionTarget
    team_selection_method: TeamSelectionMethod | None
    team: Team | None = reference("team_id", models.Team, "The team that is named, where the method is SPECIFIC_TEAM.")
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
