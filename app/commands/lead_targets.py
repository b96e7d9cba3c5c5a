"""Who leads are distributed to: what a lead route and a lead have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.models import Lead, LeadRoute, LeadSource, Team
from app.domain.enums import DistributionTarget, TeamSelectionMethod
from app.domain.validation import Check


@dataclass(frozen=True, slots=True)
class Target:
    """Who gets a lead. Only Team Rollout has a method, only Specific Team names a team."""

    distribution_target: DistributionTarget
    team_selection_method: TeamSelectionMethod | None = None
    team_id: int | None = None

    def give(self, row: Lead | LeadRoute) -> None:
        row.distribution_target = self.distribution_target
        row.team_selection_method = self.team_selection_method
        row.team_id = self.team_id


FIELDS = frozenset({"distribution_target", "team_selection_method", "team_id"})


def target_of(row: Lead | LeadRoute) -> Target:
    return Target(row.distribution_target, row.team_selection_method, row.team_id)


async def check_target(
    session: AsyncSession, viewer_id: int, check: Check, sent: Mapping[str, Any], before: Target | None = None
) -> Target | None:
    """The target that an input asks for; what it leaves out is as `before`. None where a mistake was noted.

    Myself has neither method nor team, Zipcode no team (rules of writing routes and leads). A team that is named is
    the viewer's own, and kept from being deleted until the end of the transaction.
    """
    wanted = {field: sent.get(field, getattr(before, field, None)) for field in FIELDS}
    noted = len(check.problems)
    check.given("distribution_target", wanted["distribution_target"])
    target = _tidied(**wanted)
    if target.distribution_target is DistributionTarget.TEAM_ROLLOUT and target.team_selection_method is None:
        check.refuse("team_selection_method", "is needed where the target is TEAM_ROLLOUT")
    if target.team_selection_method is TeamSelectionMethod.SPECIFIC_TEAM and target.team_id is None:
        check.refuse("team_id", "is needed where the method is SPECIFIC_TEAM")
    for team_id in {sent.get("team_id"), None if target == before else target.team_id}:
        if team_id is not None and not await _is_own_team(session, viewer_id, team_id):
            check.refuse("team_id", "is the id of no team that you created")
    return target if len(check.problems) == noted else None


def _tidied(
    distribution_target: DistributionTarget, team_selection_method: TeamSelectionMethod | None, team_id: int | None
) -> Target:
    if distribution_target is DistributionTarget.MYSELF:
        return Target(distribution_target)
    names_team = team_selection_method is not TeamSelectionMethod.ZIPCODE
    return Target(distribution_target, team_selection_method, team_id if names_team else None)


async def _is_own_team(session: AsyncSession, viewer_id: int, team_id: int) -> bool:
    own = select(Team).where(col(Team.id) == team_id, col(Team.creator_id) == viewer_id, col(Team.deleted_at).is_(None))
    return (await session.exec(own.with_for_update(read=True, of=Team))).one_or_none() is not None


async def check_source(
    session: AsyncSession, viewer_id: int, check: Check, field: str, source_id: int | None
) -> int | None:
    """The id of a source that the viewer entered."""
    own = select(LeadSource.id).where(col(LeadSource.id) == source_id, col(LeadSource.creator_id) == viewer_id)
    if source_id is not None and (await session.exec(own)).one_or_none() is None:
        check.refuse(field, "is the id of no lead source that you entered")
    return source_id
