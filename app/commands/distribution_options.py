"""Distribution options: how one member of a team is offered leads."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import exists, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.teams import own_team
from app.db.models import DistributionOption, Team, TeamMember
from app.domain.alert_channels import ALERT_FIELDS
from app.domain.enums import OrderMethod
from app.domain.validation import MOST_OPTIONS, Check, Rules, checking
from app.errors import ApiError, Code, Problem, bad_input

_RULES: Rules = {
    "rank": Check.rank,
    "mins_until_lead_offer": Check.minutes,
    "assign_automatically": Check.given,
    **dict.fromkeys(ALERT_FIELDS.values(), Check.given),
}


async def set_distribution_option(
    session: AsyncSession, viewer_id: int, team_id: int, user_id: int, values: Mapping[str, Any]
) -> DistributionOption:
    """Makes or replaces the option of a member, or of the creator, of the viewer's own team.

    `values` has every field of an option. FORBIDDEN, BAD_USER_INPUT (a team or user that is unknown, too), CONFLICT
    where the team has as many options as it may have.
    """
    team = await _team(session, viewer_id, team_id)
    option = await _option_of(session, team_id, user_id)
    checked = await _checked(session, team, user_id, values)
    if option is None:
        await _allow_one_more(session, team_id)
        option = DistributionOption(team_id=team_id, user_id=user_id)
        session.add(option)
    for name, value in checked.items():
        setattr(option, name, value)
    await session.flush()
    return option


async def remove_distribution_option(session: AsyncSession, viewer_id: int, option_id: int) -> Team:
    """Removes an option of the viewer's own team; the team. Offers that were made by it stay. NOT_FOUND, FORBIDDEN."""
    found = select(DistributionOption).where(
        col(DistributionOption.id) == option_id, visibility.distribution_options(viewer_id)
    )
    asked = (await session.exec(found)).one_or_none()
    if asked is None:
        raise _no_option()
    team = await own_team(session, viewer_id, asked.team_id)
    option = await _option_of(session, team.id, asked.user_id)
    if option is None or option.id != option_id:
        raise _no_option()
    await session.delete(option)
    await session.flush()
    return team


async def _team(session: AsyncSession, viewer_id: int, team_id: int) -> Team:
    try:
        return await own_team(session, viewer_id, team_id)
    except ApiError as refusal:
        if refusal.code is Code.NOT_FOUND:
            raise bad_input(Problem("team_id", "is the id of no team that you may see")) from refusal
        raise


async def _option_of(session: AsyncSession, team_id: int, user_id: int) -> DistributionOption | None:
    """The user's option, as it is now that the team is locked."""
    of_user = (col(DistributionOption.team_id) == team_id, col(DistributionOption.user_id) == user_id)
    return (
        await session.exec(select(DistributionOption).where(*of_user), execution_options={"populate_existing": True})
    ).one_or_none()


async def _checked(session: AsyncSession, team: Team, user_id: int, values: Mapping[str, Any]) -> dict[str, Any]:
    is_member = exists(select(1).where(col(TeamMember.team_id) == team.id, col(TeamMember.user_id) == user_id))
    with checking() as check:
        if user_id != team.creator_id and not (await session.exec(select(is_member))).one():
            check.refuse("user_id", "is neither a member of the team nor its creator")
        checked = check.each(_RULES, values)
        if team.order_method is OrderMethod.RANK and checked["mins_until_lead_offer"]:
            check.refuse("mins_until_lead_offer", "must be 0: a team by rank offers leads in the order of the ranks")
    return checked


async def _allow_one_more(session: AsyncSession, team_id: int) -> None:
    of_team = col(DistributionOption.team_id) == team_id
    if (await session.exec(select(func.count()).select_from(DistributionOption).where(of_team))).one() >= MOST_OPTIONS:
        raise ApiError(Code.CONFLICT, f"A team has at most {MOST_OPTIONS} distribution options.")


def _no_option() -> ApiError:
    return ApiError(Code.NOT_FOUND, "There is no such distribution option.")
