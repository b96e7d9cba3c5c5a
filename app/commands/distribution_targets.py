"""Distribution targets in inputs: checked against the viewer's teams, and read from and written to leads and routes."""

from collections.abc import Mapping
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.locks import share_teams
from app.db.models import Lead, LeadRoute
from app.domain.distribution_targets import TARGET_FIELDS, Target
from app.domain.validation import Check


async def check_target(
    session: AsyncSession, viewer_id: int, check: Check, sent: Mapping[str, Any], before: Target | None = None
) -> Target | None:
    """Return the target in an input, or None after noting a problem.

    Fields that the input leaves out are those of `before`. A team must be the viewer's own; its lock
    is shared, so that it is not deleted before the transaction ends.
    """
    wanted = {field: sent.get(field, getattr(before, field, None)) for field in TARGET_FIELDS}
    noted = len(check.problems)
    check.given("distribution_target", wanted["distribution_target"])

    target = Target(**wanted).normalized()
    check.problems += target.problems()

    named = {sent.get("team_id"), None if target == before else target.team_id}
    named_ids: set[int] = {team_id for team_id in named if team_id is not None}
    if named_ids and await share_teams(session, named_ids, visibility.usable_teams(viewer_id)) != named_ids:
        check.refuse("team_id", "is not the id of a team that you created")
    return target if len(check.problems) == noted else None


def target_of(row: Lead | LeadRoute) -> Target:
    return Target(row.distribution_target, row.team_selection_method, row.team_id)


def set_target(row: Lead | LeadRoute, target: Target) -> None:
    row.distribution_target = target.distribution_target
    row.team_selection_method = target.team_selection_method
    row.team_id = target.team_id
