"""Team members: the creator of a team invites and removes them, and the invited user answers."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.access.sign_up import lock_address
from app.commands.locks import lock_late_leads, lock_leads_of_offers, lock_team
from app.commands.offer_standing import IS_OPEN
from app.commands.teams import own_team
from app.commands.users import find_user
from app.commands.waiting_invitations import invite_address
from app.commands.withdrawal import withdraw_open
from app.db.models import LeadOffer, Team, TeamMember, WaitingInvitation
from app.domain.enums import EndReason, RequestStatus
from app.domain.validation import checking
from app.errors import ApiError, Code, Problem, bad_input


async def invite_team_member(
    session: AsyncSession, viewer_id: int, team_id: int, email: str, now: datetime, *, can_sign_up: bool
) -> TeamMember | WaitingInvitation:
    """Invite the user with this address, and return the membership.

    A declined invitation is pending again; any other stays as it is. If nobody has the address but accounts are
    created on sign-up, the invitation waits, see `invite_address`. Raises NOT_FOUND for the team and for the user,
    FORBIDDEN, and BAD_USER_INPUT for the creator's own address.
    """
    await own_team(session, viewer_id, team_id, lock=False)
    with checking() as check:
        email = check.user_email("email", email)
    if can_sign_up:
        await lock_address(session, email)
    await own_team(session, viewer_id, team_id)
    user = await find_user(session, email)
    if user is None and can_sign_up:
        return await invite_address(session, viewer_id, team_id, email, now)
    if user is None:
        raise ApiError(Code.NOT_FOUND, "There is no user with this e-mail address.")
    if user.id == viewer_id:
        raise bad_input(Problem("email", "is your own: the creator of a team needs no invitation"))

    member = await _member_of(session, team_id, user.id)
    if member is None:
        member = TeamMember(team_id=team_id, user_id=user.id, request_status=RequestStatus.PENDING)
        session.add(member)
    elif member.request_status is RequestStatus.DECLINED:
        member.request_status = RequestStatus.PENDING
    await session.flush()
    return member


async def _member_of(session: AsyncSession, team_id: int, user_id: int) -> TeamMember | None:
    """Return the user's membership of the team, which the caller has locked."""
    found = select(TeamMember).where(col(TeamMember.team_id) == team_id, col(TeamMember.user_id) == user_id)
    return (await session.exec(found)).one_or_none()


async def respond_to_invitation(
    session: AsyncSession, viewer_id: int, member_id: int, answer: RequestStatus, now: datetime
) -> TeamMember:
    """Accept or decline an invitation to the viewer. Declining withdraws the viewer's open offers of this team.

    Raises NOT_FOUND, and FORBIDDEN for an invitation to somebody else.
    """
    asked = await _member(session, viewer_id, member_id)
    if asked.user_id != viewer_id:
        raise ApiError(Code.FORBIDDEN, "Only the invited user may answer an invitation.")
    leaves = answer is RequestStatus.DECLINED
    leads = await lock_leads_of_offers(session, _offers_to(asked)) if leaves else ()
    await lock_team(session, asked.team_id)
    leads = await lock_late_leads(session, _offers_to(asked), leads) if leaves else ()
    member = await _member(session, viewer_id, member_id)
    member.request_status = answer
    await session.flush()
    if leaves:
        await withdraw_open(session, leads, _offers_to(member), EndReason.LEFT, now)
    return member


async def remove_team_member(session: AsyncSession, viewer_id: int, member_id: int, now: datetime) -> Team:
    """Remove a member from one of the viewer's teams, withdraw their open offers of it, and return the team.

    Their distribution option remains, for if they come back; meanwhile a submit skips them as NOT_A_MEMBER. Raises
    NOT_FOUND, and FORBIDDEN if somebody else created the team.
    """
    asked = await _member(session, viewer_id, member_id)
    team = await session.get_one(Team, asked.team_id)
    if team.creator_id != viewer_id:
        raise ApiError(Code.FORBIDDEN, "Only the creator of a team may remove its members.")
    leads = await lock_leads_of_offers(session, _offers_to(asked))
    await lock_team(session, team.id)
    leads = await lock_late_leads(session, _offers_to(asked), leads)
    member = await _member(session, viewer_id, member_id)
    await session.delete(member)
    await session.flush()
    await withdraw_open(session, leads, _offers_to(member), EndReason.LEFT, now)
    return team


async def _member(session: AsyncSession, viewer_id: int, member_id: int) -> TeamMember:
    """Return the current row of a membership that the viewer can see. The lock of its team guards it."""
    found = select(TeamMember).where(col(TeamMember.id) == member_id, visibility.members(viewer_id))
    member = (await session.exec(found, execution_options={"populate_existing": True})).one_or_none()
    if member is None:
        raise ApiError(Code.NOT_FOUND, "There is no team member with this id.")
    return member


def _offers_to(member: TeamMember) -> ColumnElement[bool]:
    """The open offers that the team has made to the member."""
    return and_(IS_OPEN, col(LeadOffer.team_id) == member.team_id, col(LeadOffer.user_id) == member.user_id)
