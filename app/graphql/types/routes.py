"""Lead sources, and the routes that say who their leads are distributed to."""

import strawberry

from app.db import models
from app.graphql.enums import DistributionTarget, TeamSelectionMethod
from app.graphql.fields import column, reference
from app.graphql.types.teams import Team


@strawberry.type(description="The origin of leads, for example a portal.")
class LeadSource:
    id: strawberry.ID = column("Unique id of the source.")
    name: str = column("Name of the source, unique among your sources without regard to case.")


@strawberry.type(
    description="How the leads of a source are distributed. A new lead takes target, method and team from the "
    "route; existing leads keep theirs."
)
class LeadRoute:
    id: strawberry.ID = column("Unique id of the route.")
    lead_source: LeadSource | None = reference(
        "lead_source_id", models.LeadSource, "The source whose leads the route serves. Null if it was imported without."
    )
    distribution_target: DistributionTarget = column("Whether the leads stay with you or are offered to a team.")
    team_selection_method: TeamSelectionMethod | None = column(
        "How the team is chosen. Null unless distributionTarget is TEAM_ROLLOUT."
    )
    team: Team | None = reference(
        "team_id", models.Team, "The named team. Null unless teamSelectionMethod is SPECIFIC_TEAM."
    )
    lead_type: str | None = column(
        "Type of leads that the route serves, for example Buyer. Null if it serves every type that has no route of its "
        "own. REST spelling: filter."
    )
