"""A wave: some deliveries taken, looked at again, sent at the same time, and recorded.

Three short transactions. In the second the leads are locked while users are looked at again and the sending begins: a
claim waits for it, and nothing begins after a claim is committed. The answers are waited for outside of any.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select as select_rows
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.claim_links import ClaimLink, claim_url
from app.commands import deliveries, events
from app.commands.eligibility import ineligibility
from app.commands.escalation import escalate
from app.commands.locks import lock_leads
from app.commands.text_opt_outs import wants_no_texts
from app.commands.withdrawal import withdraw_unsent
from app.config import Settings
from app.db.engine import Database
from app.db.functions import member_of
from app.db.models import Contact, Delivery, Lead, LeadOffer, User
from app.domain.enums import OPEN_STATUSES, Channel, ClaimedVia, DeliveryStatus, EndReason
from app.domain.quiet_hours import quiet_until
from app.observability import metrics
from app.worker import leases, messages
from app.worker.channels.base import DeliveryError, Message, Sender
from app.worker.leases import Outcome

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that was taken, and all that decides whether and what is sent."""

    delivery: Delivery
    offer: LeadOffer
    lead: Lead
    user: User
    contact: Contact
    reason: EndReason | None
    wants_no_texts: bool

    @property
    def is_wanted(self) -> bool:
        """Whether the user is still to be told: the lead is theirs, or free and offered to them."""
        if self.reason is not None:
            return False
        if self.lead.claimed_by_id is not None:
            return self.lead.claimed_by_id == self.user.id
        return self.offer.status in OPEN_STATUSES


@dataclass(frozen=True, slots=True)
class Wave:
    """What a wave did: how many deliveries it took, and the longest time (seconds) that one was sent late."""

    taken: int
    sent: int = 0
    failed: int = 0
    lag: float = 0.0


async def send_wave(
    db: Database,
    sender: Sender,
    channels: Collection[Channel],
    until: datetime,
    clock: Callable[[], datetime],
    settings: Settings,
    *,
    given_up: asyncio.Event,
) -> Wave:
    """Sends what is due on the channels up to the moment `until`, as many as the sender takes at once.

    What an attempt of a dead worker held is sent again once its lease is over; of one that has `given_up`, at once.
    """
    lease, now = uuid4().hex, clock()
    lease_for = timedelta(seconds=settings.lease_seconds)
    among = col(Delivery.channel).in_(channels)
    async with db.write() as session:
        due = await leases.take(session, Delivery, among, sender.at_once, lease, now=until, until=now + lease_for)
    if not due:
        return Wave(0)
    sending: dict[int, asyncio.Task[Outcome]] = {}
    try:
        async with db.write() as session:
            await _begin(session, [*due], lease, now, lambda one: _start(sender, one, settings, now, sending))
    finally:
        outcomes = await leases.outcomes_of(sending.values(), given_up)
        done_at = clock()
        if sending:
            async with db.write() as session:
                await _record(session, [*sending], outcomes, lease, done_at)
    lags = [(done_at - due[outcome.id]).total_seconds() for outcome in outcomes if outcome.failure is None]
    for lag in lags:
        metrics.DELIVERY_LAG.observe(lag)
    failed = len(outcomes) - len(lags)
    metrics.DELIVERY_FAILURES.inc(failed)
    return Wave(len(due), len(lags), failed, max(lags, default=0.0))


async def _begin(
    session: AsyncSession, delivery_ids: Sequence[int], lease: str, now: datetime, start: Callable[[Due], None]
) -> None:
    """Looks at each again, its lead locked, and starts to send what is still wanted."""
    await lock_leads(session, await _lead_ids(session, delivery_ids))
    withdrawn: dict[int, EndReason] = {}
    stuck: set[int] = set()
    for due in await _look(session, delivery_ids, lease, now):
        if not due.is_wanted:
            await leases.cancel(session, Delivery, due.delivery.id, lease)
            if due.reason is not None:
                withdrawn[due.offer.id] = due.reason
                stuck.add(due.lead.id)
        elif (
            until := quiet_until(due.user.quiet_hours_start, due.user.quiet_hours_end, due.user.timezone, now)
        ) is not None:
            await leases.put_off(session, Delivery, due.delivery.id, lease, until)
        else:
            start(due)
    await withdraw_unsent(session, withdrawn)
    for lead_id in sorted(stuck):
        await escalate(session, lead_id, now)
    await asyncio.sleep(0)  # every sending has begun before the leads are unlocked


def _quiet_until(user: User, now: datetime) -> datetime | None:
    return quiet_until(user.quiet_hours_start, user.quiet_hours_end, user.timezone, now)


def _start(
    sender: Sender, due: Due, settings: Settings, now: datetime, sending: dict[int, asyncio.Task[Outcome]]
) -> None:
    sending[due.delivery.id] = asyncio.create_task(_send(sender, due, settings, now))


async def _lead_ids(session: AsyncSession, delivery_ids: Sequence[int]) -> Sequence[int]:
    found = select(LeadOffer.lead_id).join(Delivery).where(member_of(col(Delivery.id), delivery_ids)).distinct()
    return (await session.exec(found)).all()


async def _look(session: AsyncSession, delivery_ids: Sequence[int], lease: str, now: datetime) -> list[Due]:
    """What is still to be sent of the lease, as it is now that the leads are locked."""
    found: Any = (
        select_rows(Delivery, LeadOffer, Lead, User, Contact, ineligibility(now), wants_no_texts())
        .join(LeadOffer, col(LeadOffer.id) == col(Delivery.offer_id))
        .join(Lead, col(Lead.id) == col(LeadOffer.lead_id))
        .join(User, col(User.id) == col(LeadOffer.user_id))
        .join(Contact, col(Contact.id) == col(Lead.contact_id))
        .where(
            member_of(col(Delivery.id), delivery_ids),
            col(Delivery.lease) == lease,
            col(Delivery.status) == DeliveryStatus.PENDING,
        )
        .order_by(col(Delivery.id))
    )
    rows = await session.exec(found, execution_options={"populate_existing": True})
    return [Due(*row) for row in rows]


async def _send(sender: Sender, due: Due, settings: Settings, now: datetime) -> Outcome:
    """The attempt. What fails in a way that nobody thought of is logged and tried again as any other."""
    try:
        await sender.send(_message(due, settings, now, answers=sender.answers))
    except DeliveryError as failure:
        return Outcome(due.delivery.id, failure)
    except Exception:
        logger.exception("Delivery %d failed unexpectedly", due.delivery.id)
        return Outcome(due.delivery.id, DeliveryError("Something went wrong on our side."))
    return Outcome(due.delivery.id)


def _message(due: Due, settings: Settings, now: datetime, *, answers: bool) -> Message:
    is_email = due.delivery.channel is Channel.EMAIL
    to = due.user.email if is_email else due.user.phone
    if not to:
        raise DeliveryError(f"The user has no {'e-mail address' if is_email else 'phone number'}.", permanent=True)
    if due.delivery.channel is Channel.TEXT and due.wants_no_texts:
        raise DeliveryError("The user has asked for no texts to this number.", permanent=True)
    link = claim_url(settings, ClaimLink(due.offer.id, _VIA[due.delivery.channel]), now)
    asks_for_key = answers and due.delivery.channel is Channel.CALL and due.lead.claimed_by_id is None
    words = _words(due, link, answers=answers)
    return Message(f"delivery-{due.delivery.id}", to, *words, keys=link if asks_for_key else None)


_VIA = {Channel.EMAIL: ClaimedVia.EMAIL, Channel.TEXT: ClaimedVia.TEXT, Channel.CALL: ClaimedVia.PHONE}


def _words(due: Due, link: str | None, *, answers: bool) -> messages.Words:
    what = (due.user, due.lead, due.contact)
    match due.delivery.channel, due.lead.claimed_by_id is not None:
        case Channel.EMAIL, True:
            return messages.assigned(*what)
        case _, True:
            return messages.assigned_in_short(*what)
        case Channel.TEXT, _:
            return messages.offered_by_text(*what, link, answers=answers)
        case Channel.CALL, _:
            return messages.offered_by_call(*what, answers=answers)
    return messages.offered(*what, link)


async def _record(
    session: AsyncSession, ids: Sequence[int], outcomes: Sequence[Outcome], lease: str, now: datetime
) -> None:
    """Writes what became of the deliveries that were begun; what has no outcome is given back."""
    await lock_leads(session, await _lead_ids(session, ids))
    failed = await leases.record(session, Delivery, lease, outcomes, now)
    await events.deliveries_failed(session, failed, now)
    if len(outcomes) < len(ids):
        await leases.give_back(session, Delivery, ids, lease, now)
    sent = [outcome.id for outcome in outcomes if outcome.failure is None]
    await deliveries.mark_told(session, sent=sent, ended=ids)
