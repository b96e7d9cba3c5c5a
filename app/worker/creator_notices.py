"""Telling the creators of exhausted leads."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import true
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.engine import Database
from app.db.functions import member_of
from app.db.models import Contact, Lead, Notice, User
from app.domain.quiet_hours import quiet_until
from app.worker import leases, messages
from app.worker.channels.base import DeliveryChannel, DeliveryError, Message
from app.worker.leases import Outcome

Due = tuple[Notice, Lead, User, Contact]


async def send_notices(
    db: Database, channel: DeliveryChannel, now: datetime, lease_for: timedelta, given_up: asyncio.Event
) -> int:
    """Sends what is due at `now`, as many as the channel takes at once; how many were taken."""
    lease = uuid4().hex
    async with db.write() as session:
        ids = [
            *await leases.take(session, Notice, true(), channel.max_concurrent, lease, now=now, until=now + lease_for)
        ]
        wanted = [due for due in await _look(session, ids) if await _is_wanted(session, due, lease, now)]
    sending = [asyncio.create_task(_send(channel, *due)) for due in wanted]
    outcomes = await leases.outcomes_of(sending, given_up)
    if sending:
        async with db.write() as session:
            await leases.record(session, Notice, lease, outcomes, now)
            if len(outcomes) < len(sending):
                await leases.give_back(session, Notice, ids, lease, now)
    return len(ids)


async def _look(session: AsyncSession, ids: list[int]) -> list[Due]:
    found = (
        select(Notice, Lead, User, Contact)
        .join(Lead, col(Lead.id) == col(Notice.lead_id))
        .join(User, col(User.id) == col(Lead.creator_id))
        .join(Contact, col(Contact.id) == col(Lead.contact_id))
        .where(member_of(col(Notice.id), ids))
    )
    return [(notice, lead, user, contact) for notice, lead, user, contact in await session.exec(found)]


async def _is_wanted(session: AsyncSession, due: Due, lease: str, now: datetime) -> bool:
    """Not once somebody has the lead or it is offered again, and not in the creator's quiet hours."""
    notice, lead, creator, _contact = due
    if lead.claimed_by_id is not None or lead.exhausted_at is None or not creator.is_active:
        await leases.cancel(session, Notice, notice.id, lease)
        return False
    if (until := quiet_until(creator.quiet_hours_start, creator.quiet_hours_end, creator.timezone, now)) is not None:
        await leases.put_off(session, Notice, notice.id, lease, until)
        return False
    return True


async def _send(channel: DeliveryChannel, notice: Notice, lead: Lead, creator: User, contact: Contact) -> Outcome:
    try:
        if not creator.email:
            raise DeliveryError("The user has no e-mail address.", permanent=True)
        await channel.send(Message(f"notice-{notice.id}", creator.email, *messages.exhausted(creator, lead, contact)))
    except DeliveryError as failure:
        return Outcome(notice.id, failure)
    return Outcome(notice.id)
