"""Notices: e-mails to a lead's creator when its rollout is exhausted."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import true
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.db.models import Contact, Lead, Notice, User
from app.domain.quiet_hours import quiet_until
from app.observability import tracing
from app.worker import messages
from app.worker.batch import Queue, Send
from app.worker.channels.base import DeliveryChannel, DeliveryError, Message
from app.worker.leases import Lease


def notice_queue(email: DeliveryChannel) -> Queue:
    """Return the queue of all notices, which go out by e-mail.

    A notice is cancelled if somebody has claimed the lead, if it is offered again, or if its creator is deactivated.
    """

    async def prepare(session: AsyncSession, lease: Lease, notice_ids: Sequence[int], now: datetime) -> dict[int, Send]:
        sends: dict[int, Send] = {}
        for notice_id, lead, creator, contact in await _select(session, notice_ids):
            if lead.claimed_by_id is not None or lead.exhausted_at is None or not creator.is_active:
                await lease.cancel(session, notice_id)
                continue
            held_until = quiet_until(creator.quiet_hours_start, creator.quiet_hours_end, creator.timezone, now)
            if held_until is not None:
                await lease.hold(session, notice_id, held_until)
                continue
            sends[notice_id] = partial(_send, email, notice_id, lead, creator, contact)
        return sends

    return Queue("Notices", Notice, true(), email.max_concurrent, prepare)


async def _select(session: AsyncSession, notice_ids: Sequence[int]) -> Sequence[tuple[int, Lead, User, Contact]]:
    found = (
        select(Notice.id, Lead, User, Contact)
        .join(Lead, col(Lead.id) == col(Notice.lead_id))
        .join(User, col(User.id) == col(Lead.creator_id))
        .join(Contact, col(Contact.id) == col(Lead.contact_id))
        .where(member_of(col(Notice.id), notice_ids))
    )
    return (await session.exec(found)).all()


async def _send(email: DeliveryChannel, notice_id: int, lead: Lead, creator: User, contact: Contact) -> None:
    message_id = f"notice-{notice_id}"
    with tracing.message_span("email", message_id):
        if not creator.email:
            raise DeliveryError("The user has no e-mail address.", permanent=True)
        await email.send(Message(message_id, creator.email, *messages.exhausted(creator, lead, contact)))
