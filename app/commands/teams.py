"""Teams: only their creator changes them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.locks import lock_leads_of_open_offers
from app.commands.withdrawal import withdraw_open
from app.db.functions import member_of
from app.db.models import DistributionOption, LeadOffer, LeadRoute, Team, TeamZipcode
from app.domain.enums import EndReason, OrderMethod
from app.domain.validation import Check, Rules, checking
from app.errors import ApiError, Code

_RULES: Rules = {
    "name": Check.name,
    "order_method": Check.given,
    "mins_until_next_alert": Check.minutes,
    "distribution_zipcodes": Check.zipcodes,
}


async def own_team(session: AsyncSession, viewer_id: int, team_id: int, *, lock: bool = True) -> Team:
    """The viewer's own team, locked until the end of the transaction.

    NOT_FOUND where the viewer may not find it, FORBIDDEN where they did not create it.
    """
    found = select(Team).where(col(Team.id) == team_id, visibility.teams(viewer_id))
    found = found.with_for_update(of=Team).execution_options(populate_existing=True) if lock else found
    team = (await session.exec(found)).one_or_none()
    if team is None:
        raise ApiError(Code.NOT_FOUND, "There is no such team.")
    if team.creator_id != viewer_id:
        raise ApiError(Code.FORBIDDEN, "Only the creator of a team may change it.")
    return team


async def create_team(session: AsyncSession, viewer_id: int, new: Mapping[str, Any], now: datetime) -> Team:
    """A team of the viewer's. `new` has a name, an order method, a gap in minutes and zipcodes."""
    checked = _checked(new, None)
    zipcodes = checked.pop("distribution_zipcodes")
    team = Team(creator_id=viewer_id, created_at=now, **checked)
    session.add(team)
    await session.flush()
    await _add_zipcodes(session, team.id, zipcodes)
    return team


async def update_team(session: AsyncSession, viewer_id: int, team_id: int, changes: Mapping[str, Any]) -> Team:
    """Changes what `changes` names. Another order method sets what only the old one used to zero.

    NOT_FOUND, FORBIDDEN, BAD_USER_INPUT.
    """
    team = await own_team(session, viewer_id, team_id)
    checked = _checked(changes, team.order_method)
    zipcodes = checked.pop("distribution_zipcodes", None)
    for name, value in checked.items():
        setattr(team, name, value)
    if team.order_method is OrderMethod.TIME:
        team.mins_until_next_alert = 0
    elif "order_method" in checked:
        await _forget_minutes(session, team_id)
    if zipcodes is not None:
        await _replace_zipcodes(session, team_id, zipcodes)
    await session.flush()
    return team


async def delete_team(session: AsyncSession, viewer_id: int, team_id: int, now: datetime) -> None:
    """Marks the team as deleted and withdraws its open offers. CONFLICT while a lead route names it.

    NOT_FOUND, FORBIDDEN. The leads are locked before the team, as a submit does.
    """
    await own_team(session, viewer_id, team_id, lock=False)
    offers = col(LeadOffer.team_id) == team_id
    leads = await lock_leads_of_open_offers(session, offers)
    team = await own_team(session, viewer_id, team_id)
    if (await session.exec(select(LeadRoute.id).where(col(LeadRoute.team_id) == team_id).limit(1))).first():
        raise ApiError(Code.CONFLICT, f"A lead route sends leads to the team {team.name}: change the route first.")
    team.deleted_at = now
    await session.flush()
    await withdraw_open(session, leads, offers, EndReason.TEAM_DELETED, now)


def _checked(values: Mapping[str, Any], order_method: OrderMethod | None) -> dict[str, Any]:
    with checking() as check:
        checked = check.each(_RULES, values)
        method = checked.get("order_method") or order_method
        if method is OrderMethod.TIME and checked.get("mins_until_next_alert"):
            check.refuse("mins_until_next_alert", "must be 0: a team by time has no ranks that follow each other")
    return checked


async def _forget_minutes(session: AsyncSession, team_id: int) -> None:
    option = DistributionOption
    await session.exec(update(option).where(col(option.team_id) == team_id).values(mins_until_lead_offer=0))


async def _replace_zipcodes(session: AsyncSession, team_id: int, zipcodes: Sequence[str]) -> None:
    of_team = col(TeamZipcode.team_id) == team_id
    before = set((await session.exec(select(TeamZipcode.zipcode).where(of_team))).all())
    gone = before.difference(zipcodes)
    if gone:
        await session.exec(delete(TeamZipcode).where(of_team, member_of(col(TeamZipcode.zipcode), gone)))
    await _add_zipcodes(session, team_id, [zipcode for zipcode in zipcodes if zipcode not in before])


async def _add_zipcodes(session: AsyncSession, team_id: int, zipcodes: Sequence[str]) -> None:
    if zipcodes:
        rows = [{"team_id": team_id, "zipcode": zipcode} for zipcode in zipcodes]
        await session.exec(insert(TeamZipcode), params=rows)
