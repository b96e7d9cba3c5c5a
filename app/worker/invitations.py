"""Invitations to people without an account, which go out by e-mail."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import true
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.db.models import Team, User, WaitingInvitation
from app.worker import messages
from app.worker.batch import Queue, Send
from app.worker.channels.base import DeliveryChannel, Message
from app.worker.leases import Lease


def invitation_queue(email: DeliveryChannel, url: str | None) -> Queue:
    """Return the queue of all waiting invitations. `url` is that of the application.

    The e-mail is cancelled if the invitation was removed, or its inviter is deactivated. If its address has an account
    by now, the invitation does not exist any more.
    """

    async def prepare(session: AsyncSession, lease: Lease, ids: Sequence[int], _now: datetime) -> dict[int, Send]:
        found = (
            select(WaitingInvitation, Team, User)
            .join(Team, col(Team.id) == col(WaitingInvitation.team_id))
            .join(User, col(User.id) == col(WaitingInvitation.inviter_id))
            .where(member_of(col(WaitingInvitation.id), ids))
        )
        sends: dict[int, Send] = {}
        for invitation, team, inviter in await session.exec(found):
            if invitation.removed_at is not None or not inviter.is_active:
                await lease.cancel(session, invitation.id)
                continue
            message = Message(f"invitation-{invitation.id}", invitation.email, *messages.invited(inviter, team, url))
            sends[invitation.id] = partial(email.send, message)
        return sends

    return Queue("Invitations", WaitingInvitation, true(), email.max_concurrent, prepare)
