"""Teams. Only the creator of a team may change it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.locks import lock_late_leads, lock_leads_of_offers, lock_team, share_teams
from app.commands.offer_standing import IS_OPEN
from app.commands.waiting_invitations import end_waiting_invitations
from app.commands.withdrawal import withdraw_open
from app.db.functions import member_of
from app.db.models import DistributionOption, LeadOffer, LeadRoute, Team, TeamZipcode
from app.domain.enums import EndReason, OrderMethod
from app.domain.identifiers import NO_ID
from app.domain.team_chains import chain_problem, pair_problem, teams_before
from app.domain.validation import Check, Rules, checking
from app.errors import ApiError, Code

_RULES: Rules = {
    "name": Check.name,
    "order_method": Check.given,
    "mins_until_next_alert": Check.minutes,
    "distribution_zipcodes": Check.zipcodes,
    "members_per_lead": Check.members_per_lead,
    "keeps_contacts": Check.given,
    "next_team_id": Check.reference,
    "mins_until_next_team": Check.minutes_or_null,
}


async def own_team(session: AsyncSession, viewer_id: int, team_id: int, *, lock: bool = True) -> Team:
    """Return one of the viewer's teams, by default locked until the transaction ends.

    Raises NOT_FOUND if the viewer cannot see the team, and FORBIDDEN if somebody else created it.
    """
    is_visible = visibility.teams(viewer_id)
    if lock:
        team = await lock_team(session, team_id, is_visible)
    else:
        team = (await session.exec(select(Team).where(col(Team.id) == team_id, is_visible))).one_or_none()
    if team is None:
        raise ApiError(Code.NOT_FOUND, "There is no team with this id.")
    if team.creator_id != viewer_id:
        raise ApiError(Code.FORBIDDEN, "Only the creator of a team may change it.")
    return team


async def create_team(session: AsyncSession, viewer_id: int, new: Mapping[str, Any], now: datetime) -> Team:
    """Create a team that belongs to the viewer. `new` has every field of `_RULES`. Raises BAD_USER_INPUT."""
    next_id = new["next_team_id"]
    is_usable = await _share_next_team(session, viewer_id, next_id)
    with checking() as check:
        checked = _checked(check, new, None)
        if next_id is not None:
            await _check_chain(session, viewer_id, check, None, next_id, is_usable=is_usable)
    zipcodes = checked.pop("distribution_zipcodes")
    team = Team(creator_id=viewer_id, created_at=now, **checked)
    session.add(team)
    await session.flush()
    await _add_zipcodes(session, team.id, zipcodes)
    return team


async def update_team(session: AsyncSession, viewer_id: int, team_id: int, changes: Mapping[str, Any]) -> Team:
    """Change the fields that `changes` names.

    A new order method zeroes the minutes that it does not use: of the team by time, and else of each option.
    Raises NOT_FOUND, FORBIDDEN and BAD_USER_INPUT.
    """
    next_id = changes.get("next_team_id")
    is_usable = next_id is not None and next_id < team_id and await _share_next_team(session, viewer_id, next_id)
    team = await own_team(session, viewer_id, team_id)
    if next_id is not None and next_id >= team_id:
        is_usable = await _share_next_team(session, viewer_id, next_id)
    with checking() as check:
        checked = _checked(check, changes, team)
        if next_id is not None:
            await _check_chain(session, viewer_id, check, team_id, next_id, is_usable=is_usable)
    zipcodes = checked.pop("distribution_zipcodes", None)
    for name, value in checked.items():
        setattr(team, name, value)
    if team.order_method is OrderMethod.TIME:
        team.mins_until_next_alert = 0
    elif "order_method" in checked:
        of_team = col(DistributionOption.team_id) == team_id
        await session.exec(update(DistributionOption).where(of_team).values(mins_until_lead_offer=0))
    if zipcodes is not None:
        await _replace_zipcodes(session, team_id, zipcodes)
    await session.flush()
    return team


async def delete_team(session: AsyncSession, viewer_id: int, team_id: int, now: datetime) -> None:
    """Mark a team as deleted and withdraw its open offers.

    Raises NOT_FOUND, FORBIDDEN, and CONFLICT while a lead route or another team names the team.
    """
    await own_team(session, viewer_id, team_id, lock=False)
    offers = and_(IS_OPEN, col(LeadOffer.team_id) == team_id)
    leads = await lock_leads_of_offers(session, offers)
    team = await own_team(session, viewer_id, team_id)
    leads = await lock_late_leads(session, offers, leads)
    if (await session.exec(select(LeadRoute.id).where(col(LeadRoute.team_id) == team_id).limit(1))).first():
        message = f"A lead route sends leads to the team {team.name}. Change or delete the route first."
        raise ApiError(Code.CONFLICT, message)
    naming = select(Team.name).where(col(Team.next_team_id) == team_id, visibility.is_live()).order_by(col(Team.id))
    if name := (await session.exec(naming.limit(1))).first():
        message = f"The next team of the team {name} is the team {team.name}. Change or delete the team {name} first."
        raise ApiError(Code.CONFLICT, message)
    team.deleted_at = now
    await end_waiting_invitations(session, team_id, now)
    await session.flush()
    await withdraw_open(session, leads, offers, EndReason.TEAM_DELETED, now)


def _checked(check: Check, values: Mapping[str, Any], before: Team | None) -> dict[str, Any]:
    """Return the values to write, and note what is wrong with them or with the team that they would make."""
    checked = check.each(_RULES, values)
    method = checked.get("order_method") or getattr(before, "order_method", None)
    if method is OrderMethod.TIME and checked.get("mins_until_next_alert"):
        check.refuse("mins_until_next_alert", "must be 0 in a team that orders its members by time")
    next_id, minutes = (
        values.get(name, getattr(before, name, None)) for name in ("next_team_id", "mins_until_next_team")
    )
    if problem := pair_problem(next_id, minutes):
        check.refuse(problem.field, problem.message)
    return checked


async def _share_next_team(session: AsyncSession, viewer_id: int, next_id: int | None) -> bool:
    """Share the lock of a next team, so that it is not deleted. Return whether it is a live team of the viewer's."""
    return next_id is not None and next_id in await share_teams(session, [next_id], visibility.usable_teams(viewer_id))


async def _check_chain(
    session: AsyncSession, viewer_id: int, check: Check, team_id: int | None, next_id: int, *, is_usable: bool
) -> None:
    """Note a problem if a team cannot have the next team. A new team has no id yet.

    Simultaneous changes of teams that are apart in a chain may still close a ring together. A lead is offered to no
    team twice, so that it does not go round.
    """
    if not is_usable:
        check.refuse("next_team_id", "is not the id of a team that you created")
        return
    linked = select(Team.id, Team.next_team_id).where(
        visibility.usable_teams(viewer_id), col(Team.next_team_id).is_not(None)
    )
    next_of = dict((await session.exec(linked)).all())
    link = NO_ID if team_id is None else team_id
    next_of[link] = next_id
    if problem := chain_problem(link, next_of, teams_before(link, next_of)):
        check.refuse("next_team_id", problem)


async def _replace_zipcodes(session: AsyncSession, team_id: int, zipcodes: Sequence[str]) -> None:
    of_team = col(TeamZipcode.team_id) == team_id
    before = set((await session.exec(select(TeamZipcode.zipcode).where(of_team))).all())
    gone = before.difference(zipcodes)
    if gone:
        await session.exec(delete(TeamZipcode).where(of_team, member_of(col(TeamZipcode.zipcode), gone)))
    await _add_zipcodes(session, team_id, [zipcode for zipcode in zipcodes if zipcode not in before])


async def _add_zipcodes(session: AsyncSession, team_id: int, zipcodes: Sequence[str]) -> None:
    session.add_all([TeamZipcode(team_id=team_id, zipcode=zipcode) for zipcode in zipcodes])
    await session.flush()
