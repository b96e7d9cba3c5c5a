"""Distribution options: when and how one member of a team is offered leads."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import exists, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.teams import own_team
from app.db.functions import member_of
from app.db.models import DistributionOption, Team, TeamMember, Turn
from app.domain.alert_channels import ALERT_FIELDS
from app.domain.bounds import MOST_OPTIONS
from app.domain.enums import OrderMethod
from app.domain.turns import mark_with_weight
from app.domain.validation import Check, Rules, checking
from app.errors import ApiError, Code, Problem, bad_input

_RULES: Rules = {
    "rank": Check.rank,
    "mins_until_lead_offer": Check.minutes,
    "assign_automatically": Check.given,
    "weight": Check.weight,
    "max_leads_per_day": Check.leads_per_day,
    **dict.fromkeys(ALERT_FIELDS.values(), Check.given),
}


async def set_distribution_option(
    session: AsyncSession, viewer_id: int, team_id: int, user_id: int, values: Mapping[str, Any]
) -> DistributionOption:
    """Create or replace the option of a member, or of the creator, of one of the viewer's teams.

    `values` has every field of an option. A member who has used turns is brought forward in the line, if the weight
    allows it. Raises FORBIDDEN, BAD_USER_INPUT (also if the team or the user is unknown), and CONFLICT if the team
    already has the maximum number of options.
    """
    try:
        team = await own_team(session, viewer_id, team_id)
    except ApiError as error:
        if error.code is Code.NOT_FOUND:
            raise bad_input(Problem("team_id", "is not the id of a team that you can see")) from error
        raise
    option = await _option_of(session, team_id, user_id)
    with checking() as check:
        if user_id != team.creator_id and not await _has_membership(session, team_id, user_id):
            check.refuse("user_id", "is not the id of a member or of the creator of this team")
        checked = _checked(check, team, values)
    if option is None:
        await _check_room(session, team)
        option = DistributionOption(team_id=team_id, user_id=user_id)
        session.add(option)
    return await _write(session, option, checked)


async def update_distribution_option(
    session: AsyncSession, viewer_id: int, option_id: int, changes: Mapping[str, Any]
) -> DistributionOption:
    """Change the fields of an option that `changes` names, in one of the viewer's teams; also of a former member.

    A new weight counts as in `set_distribution_option`. Raises NOT_FOUND, FORBIDDEN and BAD_USER_INPUT.
    """
    team, option = await _own_option(session, viewer_id, option_id)
    with checking() as check:
        checked = _checked(check, team, changes)
    return await _write(session, option, checked)


async def remove_distribution_option(session: AsyncSession, viewer_id: int, option_id: int) -> Team:
    """Remove an option from one of the viewer's teams, and return the team. Existing offers do not change.

    Raises NOT_FOUND, and FORBIDDEN if somebody else created the team.
    """
    team, option = await _own_option(session, viewer_id, option_id)
    await session.delete(option)
    await session.flush()
    return team


async def lower_marks(session: AsyncSession, weights: Mapping[tuple[int, int], int]) -> None:
    """Lower the marks of turns that are too high for the weights, which are given by team id and user id.

    A member who has not used a turn has no mark and gets none. The caller excludes submits to these teams.
    """
    team_ids = {team_id for team_id, _user_id in weights}
    marks = (
        select(Turn, Team.turn_mark)
        .join(Team, col(Team.id) == col(Turn.team_id))
        .where(member_of(col(Turn.team_id), team_ids))
    )
    for turn, team_mark in (await session.exec(marks)).all():
        if weight := weights.get((turn.team_id, turn.user_id)):
            turn.mark = mark_with_weight(turn.mark, weight, team_mark)
    await session.flush()


async def _own_option(session: AsyncSession, viewer_id: int, option_id: int) -> tuple[Team, DistributionOption]:
    """Lock one of the viewer's teams by one of its options; return both. Raises NOT_FOUND and FORBIDDEN."""
    found = select(DistributionOption).where(
        col(DistributionOption.id) == option_id, visibility.distribution_options(viewer_id)
    )
    asked = (await session.exec(found)).one_or_none()
    if asked is None:
        raise _not_found()
    team = await own_team(session, viewer_id, asked.team_id)
    option = await _option_of(session, team.id, asked.user_id)
    if option is None or option.id != option_id:
        raise _not_found()
    return team, option


async def _option_of(session: AsyncSession, team_id: int, user_id: int) -> DistributionOption | None:
    """Return the user's current option. The caller has locked the team."""
    found = select(DistributionOption).where(
        col(DistributionOption.team_id) == team_id, col(DistributionOption.user_id) == user_id
    )
    return (await session.exec(found, execution_options={"populate_existing": True})).one_or_none()


async def _has_membership(session: AsyncSession, team_id: int, user_id: int) -> bool:
    found = exists(select(1).where(col(TeamMember.team_id) == team_id, col(TeamMember.user_id) == user_id))
    return (await session.exec(select(found))).one()


def _checked(check: Check, team: Team, values: Mapping[str, Any]) -> dict[str, Any]:
    checked = check.each(_RULES, values)
    if team.order_method is not OrderMethod.TIME and checked.get("mins_until_lead_offer"):
        check.refuse("mins_until_lead_offer", "must be 0 in a team that does not order its members by time")
    return checked


async def _write(session: AsyncSession, option: DistributionOption, values: Mapping[str, Any]) -> DistributionOption:
    for name, value in values.items():
        setattr(option, name, value)
    await session.flush()
    await lower_marks(session, {(option.team_id, option.user_id): option.weight})
    return option


async def _check_room(session: AsyncSession, team: Team) -> None:
    of_team = col(DistributionOption.team_id) == team.id
    if (await session.exec(select(func.count()).select_from(DistributionOption).where(of_team))).one() >= MOST_OPTIONS:
        message = f"The team {team.name} already has {MOST_OPTIONS} distribution options, the maximum."
        raise ApiError(Code.CONFLICT, message)


def _not_found() -> ApiError:
    return ApiError(Code.NOT_FOUND, "There is no distribution option with this id.")
