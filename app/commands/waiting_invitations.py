"""Invitations to people who have no account yet, and the e-mails that tell them. The creator of a team removes them.

Nobody can flood an address: it gets at most one e-mail a day, whoever invites it to however many teams. Later e-mails
wait for their day. A user can invite a limited number of addresses a day, including those that were removed.
"""

from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.locks import lock_invitations_by, lock_team, lock_waiting_invitation
from app.db.models import Team, WaitingInvitation
from app.domain.bounds import MOST_INVITATIONS, MOST_INVITATIONS_PER_DAY
from app.domain.enums import DeliveryStatus
from app.errors import ApiError, Code

DAY = timedelta(days=1)
"""The time between two e-mails to an address, and the time for which a user's invitations are counted."""

_IS_WAITING = col(WaitingInvitation.removed_at).is_(None)


async def invite_address(
    session: AsyncSession, viewer_id: int, team_id: int, email: str, now: datetime
) -> WaitingInvitation:
    """Invite an address that has no account to the viewer's team, and schedule an e-mail to it.

    An invitation that waits already stays as it is, except that an e-mail that FAILED is sent again. The caller has
    locked the address and the team. Raises CONFLICT and RATE_LIMITED if there are too many.
    """
    of_team = (col(WaitingInvitation.team_id) == team_id, _IS_WAITING)
    found = select(WaitingInvitation.id).where(*of_team, col(WaitingInvitation.email) == email)
    invitation_id = (await session.exec(found)).one_or_none()
    if invitation_id is not None:
        invitation = await lock_waiting_invitation(session, invitation_id)
    else:
        if (await session.exec(select(func.count()).where(*of_team))).one() >= MOST_INVITATIONS:
            raise ApiError(
                Code.CONFLICT, f"The team already has {MOST_INVITATIONS} waiting invitations. Remove one first."
            )
        await _check_day(session, viewer_id, now)
        invitation = WaitingInvitation(
            team_id=team_id,
            inviter_id=viewer_id,
            email=email,
            invited_at=now,
            mail_at=now,
            status=DeliveryStatus.FAILED,
        )
    if invitation.status is DeliveryStatus.FAILED:
        invitation.mail_at = await _next_mail_at(session, email, now)
        invitation.status, invitation.next_attempt_at = DeliveryStatus.PENDING, invitation.mail_at
        invitation.attempts, invitation.error = 0, None
    session.add(invitation)
    await session.flush()
    return invitation


async def _check_day(session: AsyncSession, viewer_id: int, now: datetime) -> None:
    """Raise RATE_LIMITED if the viewer has made too many waiting invitations within the last day."""
    await lock_invitations_by(session, viewer_id)
    is_counted = (col(WaitingInvitation.inviter_id) == viewer_id, col(WaitingInvitation.invited_at) > now - DAY)
    counted = select(func.count(), func.min(WaitingInvitation.invited_at)).where(*is_counted)
    number, first = (await session.exec(counted)).one()
    if number >= MOST_INVITATIONS_PER_DAY:
        message = f"You have invited {number} addresses without an account within 24 hours. Try again later."
        raise ApiError(Code.RATE_LIMITED, message, {"retryAfter": int((first + DAY - now).total_seconds()) + 1})


async def _next_mail_at(session: AsyncSession, email: str, now: datetime) -> datetime:
    """Return when an address may get the next e-mail: a day after the last one that is sent or scheduled."""
    was_begun = or_(_IS_WAITING, col(WaitingInvitation.removed_at) >= col(WaitingInvitation.mail_at))
    mails = select(func.max(WaitingInvitation.mail_at)).where(col(WaitingInvitation.email) == email, was_begun)
    last = (await session.exec(mails)).one()
    return now if last is None else max(now, last + DAY)


async def remove_waiting_invitation(session: AsyncSession, viewer_id: int, invitation_id: int, now: datetime) -> Team:
    """Remove an invitation of one of the viewer's teams, cancel its e-mail, and return the team. Raises NOT_FOUND.

    Its row is deleted if nothing was sent yet.
    """
    asked = select(WaitingInvitation.team_id).where(col(WaitingInvitation.id) == invitation_id)
    team_id = (await session.exec(asked)).one_or_none()
    team = None if team_id is None else await lock_team(session, team_id, visibility.usable_teams(viewer_id))
    is_waiting = (col(WaitingInvitation.id) == invitation_id, _IS_WAITING)
    if team is None or (await session.exec(select(1).where(*is_waiting))).first() is None:
        raise ApiError(Code.NOT_FOUND, "There is no waiting invitation with this id.")
    invitation = await lock_waiting_invitation(session, invitation_id)
    if invitation.status is DeliveryStatus.PENDING and invitation.attempts == 0 and invitation.lease is None:
        await session.delete(invitation)
    else:
        invitation.removed_at = now
        if invitation.status is DeliveryStatus.PENDING:
            invitation.status, invitation.next_attempt_at = DeliveryStatus.CANCELLED, None
    await session.flush()
    return team


async def end_waiting_invitations(session: AsyncSession, team_id: int, now: datetime) -> None:
    """Remove all waiting invitations of a team, which the caller has locked. The worker cancels their e-mails."""
    of_team = update(WaitingInvitation).where(col(WaitingInvitation.team_id) == team_id, _IS_WAITING)
    await session.exec(of_team.values(removed_at=now), execution_options={"synchronize_session": False})
