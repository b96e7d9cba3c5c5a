"""Deliveries: the messages that notify users of leads that they are offered or were assigned."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select as select_rows
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.claim_links import ClaimLink, claim_url
from app.commands import outbox
from app.commands.escalation import escalate
from app.commands.locks import lock_leads
from app.commands.offer_standing import ineligibility
from app.commands.step_end import set_gives_up_at
from app.commands.text_opt_outs import has_opted_out
from app.commands.withdrawal import withdraw_unsent
from app.config import Settings
from app.db.functions import member_of
from app.db.models import Contact, Delivery, Lead, LeadOffer, User
from app.domain.enums import OPEN_STATUSES, Channel, ClaimedVia, DeliveryStatus, EndReason
from app.domain.quiet_hours import quiet_until
from app.observability import tracing
from app.worker import messages
from app.worker.batch import Queue, Send
from app.worker.channels.base import DeliveryChannel, DeliveryError, Message, delivery_message_id
from app.worker.leases import Lease, Outcome

_VIA = {Channel.EMAIL: ClaimedVia.EMAIL, Channel.TEXT: ClaimedVia.TEXT, Channel.CALL: ClaimedVia.PHONE}


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A leased delivery, and what decides whether it is sent and with which text."""

    delivery: Delivery
    offer: LeadOffer
    lead: Lead
    user: User
    contact: Contact
    ineligibility: EndReason | None
    has_opted_out: bool

    @property
    def is_wanted(self) -> bool:
        """Whether to send it: the lead is the user's, or it is unclaimed and still offered to them."""
        if self.ineligibility is not None:
            return False
        if self.lead.claimed_by_id is not None:
            return self.lead.claimed_by_id == self.user.id
        return self.offer.status in OPEN_STATUSES


def delivery_queue(channel: DeliveryChannel, kinds: Collection[Channel], settings: Settings) -> Queue:
    """Return the queue of the deliveries of these kinds, which `channel` sends."""

    async def prepare(
        session: AsyncSession, lease: Lease, delivery_ids: Sequence[int], now: datetime
    ) -> dict[int, Send]:
        due = await _select_due(session, lease, delivery_ids, now)
        wanted = [each for each in due if each.is_wanted]
        await _cancel(session, lease, [each for each in due if not each.is_wanted], now)

        sends: dict[int, Send] = {}
        for each in wanted:
            user, delivery_id = each.user, each.delivery.id
            held_until = quiet_until(user.quiet_hours_start, user.quiet_hours_end, user.timezone, now)
            if held_until is not None:
                await lease.hold(session, delivery_id, held_until)
            else:
                sends[delivery_id] = partial(_send, channel, each, settings, now)
        return sends

    name = f"Deliveries by {', '.join(kind.lower() for kind in kinds)}"
    return Queue(name, Delivery, col(Delivery.channel).in_(kinds), channel.max_concurrent, prepare, _record, _lock)


async def _lock(session: AsyncSession, delivery_ids: Sequence[int]) -> None:
    """Lock the leads of the deliveries. The locks hold until sending has begun, so that none begins after a claim."""
    found = select(LeadOffer.lead_id).join(Delivery).where(member_of(col(Delivery.id), delivery_ids)).distinct()
    await lock_leads(session, (await session.exec(found)).all())


async def _select_due(
    session: AsyncSession, lease: Lease, delivery_ids: Sequence[int], now: datetime
) -> list[DueDelivery]:
    """Return the deliveries that are still leased and pending now that their leads are locked."""
    found: Any = (
        select_rows(Delivery, LeadOffer, Lead, User, Contact, ineligibility(now), has_opted_out())
        .join(LeadOffer, col(LeadOffer.id) == col(Delivery.offer_id))
        .join(Lead, col(Lead.id) == col(LeadOffer.lead_id))
        .join(User, col(User.id) == col(LeadOffer.user_id))
        .join(Contact, col(Contact.id) == col(Lead.contact_id))
        .where(
            member_of(col(Delivery.id), delivery_ids),
            col(Delivery.lease) == lease.token,
            col(Delivery.status) == DeliveryStatus.PENDING,
        )
        .order_by(col(Delivery.id))
    )
    rows = await session.exec(found, execution_options={"populate_existing": True})
    return [DueDelivery(*row) for row in rows]


async def _cancel(session: AsyncSession, lease: Lease, unwanted: Sequence[DueDelivery], now: datetime) -> None:
    """Cancel the deliveries, withdraw the offers of users who can no longer take them, and offer their leads on."""
    for each in unwanted:
        await lease.cancel(session, each.delivery.id)
    await withdraw_unsent(
        session, {each.offer.id: each.ineligibility for each in unwanted if each.ineligibility is not None}
    )
    lead_ids = sorted({each.lead.id for each in unwanted if each.ineligibility is not None})
    for lead_id in lead_ids:
        await escalate(session, lead_id, now)
    await set_gives_up_at(session, lead_ids, now)


async def _send(channel: DeliveryChannel, due: DueDelivery, settings: Settings, now: datetime) -> None:
    delivery = due.delivery
    with tracing.message_span(delivery.channel.lower(), delivery_message_id(due.delivery.id), delivery.trace_context):
        await channel.send(_compose(due, settings, now, accepts_replies=channel.accepts_replies))


def _compose(due: DueDelivery, settings: Settings, now: datetime, *, accepts_replies: bool) -> Message:
    kind, user, is_claimed = due.delivery.channel, due.user, due.lead.claimed_by_id is not None
    to = user.email if kind is Channel.EMAIL else user.phone
    if not to:
        missing = "e-mail address" if kind is Channel.EMAIL else "phone number"
        raise DeliveryError(f"The user has no {missing}.", permanent=True)
    if kind is Channel.TEXT and due.has_opted_out:
        raise DeliveryError("The user has opted out of texts to this number.", permanent=True)

    link = claim_url(settings, ClaimLink(due.offer.id, _VIA[kind]), now)
    facts = (user, due.lead, due.contact)
    match kind, is_claimed:
        case Channel.EMAIL, True:
            words = messages.assigned(*facts)
        case _, True:
            words = messages.assigned_in_short(*facts)
        case Channel.TEXT, _:
            words = messages.offered_by_text(*facts, link, accepts_replies=accepts_replies)
        case Channel.CALL, _:
            words = messages.offered_by_call(*facts, accepts_replies=accepts_replies)
        case _:
            words = messages.offered(*facts, link)

    asks_for_keypress = kind is Channel.CALL and accepts_replies and not is_claimed
    return Message(delivery_message_id(due.delivery.id), to, *words, keypress_url=link if asks_for_keypress else None)


async def _record(lease: Lease, session: AsyncSession, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Record the outcomes, emit an event for each delivery that failed for good, and mark offers as sent."""
    failed = await lease.record(session, outcomes, now)
    await outbox.emit_deliveries_failed(session, failed, now)
    sent = [outcome.row_id for outcome in outcomes if outcome.failure is None]
    await outbox.mark_offers_sent(session, sent=sent, ended=[outcome.row_id for outcome in outcomes])
