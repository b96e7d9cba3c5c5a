"""Distribution targets: the user or team that a lead goes to. Leads and lead routes have the same three fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.domain.enums import DistributionTarget, TeamSelectionMethod
from app.domain.validation import fold
from app.errors import Problem

TARGET_FIELDS = ("distribution_target", "team_selection_method", "team_id")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a lead goes. Only TEAM_ROLLOUT has a method, and only SPECIFIC_TEAM names a team."""

    distribution_target: DistributionTarget
    team_selection_method: TeamSelectionMethod | None = None
    team_id: int | None = None

    def normalized(self) -> "Target":
        """Return the target without the fields that it does not use."""
        if self.distribution_target is DistributionTarget.MYSELF:
            return Target(self.distribution_target)
        if self.team_selection_method is TeamSelectionMethod.ZIPCODE:
            return Target(self.distribution_target, self.team_selection_method)
        return self

    def problems(self) -> Iterator[Problem]:
        """Yield a problem for each field that is missing. An imported target may lack them; a written one may not."""
        if self.distribution_target is DistributionTarget.TEAM_ROLLOUT and self.team_selection_method is None:
            yield Problem("team_selection_method", "is required if the target is TEAM_ROLLOUT")
        if self.team_selection_method is TeamSelectionMethod.SPECIFIC_TEAM and self.team_id is None:
            yield Problem("team_id", "is required if the method is SPECIFIC_TEAM")


MYSELF = Target(DistributionTarget.MYSELF)


def routed_target(routes: Mapping[str, Target], lead_type: str | None) -> Target:
    """Return the target of a lead that comes without one, from the routes of its source.

    `routes` has the source's targets by folded lead type. The route for the lead's type comes first, then the route
    for all types, whose key is empty. Without a route the lead goes to its creator.
    """
    return routes.get(fold(lead_type)) or routes.get("") or MYSELF
