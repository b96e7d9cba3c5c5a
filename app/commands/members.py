"""Who is on a team: its creator invites and removes, the invited user answers."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.locks import lock_leads_of_open_offers
from app.commands.teams import own_team
from app.commands.users import find_user
from app.commands.withdrawal import withdraw_open
from app.db.models import LeadOffer, Team, TeamMember
from app.domain.enums import EndReason, RequestStatus
from app.domain.validation import checking
from app.errors import ApiError, Code, Problem, bad_input


async def invite_team_member(session: AsyncSession, viewer_id: int, team_id: int, email: str) -> TeamMember:
    """The membership of the user with this address. Inviting again changes nothing, but for who had declined.

    NOT_FOUND where the team or the user does not exist, FORBIDDEN, BAD_USER_INPUT for the creator's own address.
    """
    await own_team(session, viewer_id, team_id)
    with checking() as check:
        check.email("email", email)
    user = await find_user(session, email)
    if user is None:
        raise ApiError(Code.NOT_FOUND, "No user has this address.")
    if user.id == viewer_id:
        raise bad_input(Problem("email", "is your own: the creator of a team needs no invitation"))
    invited = {"team_id": team_id, "user_id": user.id, "request_status": RequestStatus.PENDING}
    member_id = (await session.exec(_INVITE[session.get_bind().dialect.name], params=invited)).scalar_one()
    return await session.get_one(TeamMember, member_id)


_MEMBERS = SQLModel.metadata.tables["team_members"]


def _invite(insert: Any) -> Any:
    """One membership a team and user, whoever else invites them at this moment."""
    new = insert(_MEMBERS)
    before = _MEMBERS.c.request_status
    status = case((before == RequestStatus.DECLINED, new.excluded.request_status), else_=before)
    return new.on_conflict_do_update(index_elements=["team_id", "user_id"], set_={"request_status": status}).returning(
        _MEMBERS.c.id
    )


_INVITE = {"postgresql": _invite(postgresql.insert), "sqlite": _invite(sqlite.insert)}


async def respond_to_invitation(
    session: AsyncSession, viewer_id: int, member_id: int, answer: RequestStatus, now: datetime
) -> TeamMember:
    """The invited user's answer, ACCEPTED or DECLINED; who declines leaves the team and its open offers.

    NOT_FOUND, FORBIDDEN to everybody else who may find the membership.
    """
    asked = await _member(session, viewer_id, member_id)
    if asked.user_id != viewer_id:
        raise ApiError(Code.FORBIDDEN, "Only the invited user may answer an invitation.")
    leaves = answer is RequestStatus.DECLINED
    leads = await lock_leads_of_open_offers(session, _made_to(asked)) if leaves else ()
    member = await _member(session, viewer_id, member_id, lock=True)
    member.request_status = answer
    await session.flush()
    if leaves:
        await withdraw_open(session, leads, _made_to(member), EndReason.LEFT, now)
    return member


async def remove_team_member(session: AsyncSession, viewer_id: int, member_id: int, now: datetime) -> Team:
    """Takes the user out of the team, and their open offers back; the team. NOT_FOUND, FORBIDDEN.

    Their distribution option stays: it is said of them that they are not a member, and serves if they come back.
    """
    asked = await _member(session, viewer_id, member_id)
    team = await session.get_one(Team, asked.team_id)
    if team.creator_id != viewer_id:
        raise ApiError(Code.FORBIDDEN, "Only the creator of a team may remove its members.")
    leads = await lock_leads_of_open_offers(session, _made_to(asked))
    member = await _member(session, viewer_id, member_id, lock=True)
    await session.delete(member)
    await session.flush()
    await withdraw_open(session, leads, _made_to(member), EndReason.LEFT, now)
    return team


async def _member(session: AsyncSession, viewer_id: int, member_id: int, *, lock: bool = False) -> TeamMember:
    """A membership that the viewer may find; with `lock`, what has become of it by now."""
    found = select(TeamMember).where(col(TeamMember.id) == member_id, visibility.members(viewer_id))
    found = found.with_for_update(of=TeamMember).execution_options(populate_existing=True) if lock else found
    member = (await session.exec(found)).one_or_none()
    if member is None:
        raise ApiError(Code.NOT_FOUND, "There is no such membership.")
    return member


def _made_to(member: TeamMember) -> ColumnElement[bool]:
    """The offers that the member was made by this team."""
    return and_(col(LeadOffer.team_id) == member.team_id, col(LeadOffer.user_id) == member.user_id)
