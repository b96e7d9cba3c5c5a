"""Automatic assignment: a due offer with `assign_automatically` gives the unclaimed lead to its user."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.claim import take_lead
from app.commands.escalation import escalate
from app.commands.offer_standing import IS_OPEN, ineligibility
from app.commands.withdrawal import withdraw_unsent
from app.db.alert_columns import alerts_of
from app.db.models import LeadOffer, User
from app.domain.enums import ClaimedVia, EndReason
from app.domain.quiet_hours import quiet_until


async def auto_assign(session: AsyncSession, lead_id: int, now: datetime) -> bool:
    """Give an unclaimed lead to the user of its first due automatic offer, and return whether it was given.

    The user is notified on the offer's channels. Before that offer, offers of users in quiet hours are held, and unsent
    offers of users who are no longer eligible are withdrawn; the lead then escalates, and the next tier may have an
    automatic offer too. The caller has locked the lead.
    """
    withdrawn: dict[int, EndReason] = {}
    taker: LeadOffer | None = None
    for offer, reason, user in await _due_offers(session, lead_id, now):
        if reason is not None:
            withdrawn[offer.id] = reason
        elif (held_until := quiet_until(user.quiet_hours_start, user.quiet_hours_end, user.timezone, now)) is not None:
            offer.held_until = held_until
        else:
            taker = offer
            break
    await session.flush()
    await withdraw_unsent(session, withdrawn)

    if taker is None:
        escalated = bool(withdrawn) and await escalate(session, lead_id, now)
        return escalated and await auto_assign(session, lead_id, now)
    if taker.user_id is None or not await take_lead(session, lead_id, taker.user_id, ClaimedVia.AUTO, now):
        return False
    await outbox.schedule_deliveries(session, [outbox.Announcement(taker.id, alerts_of(taker), now)])
    return True


async def _due_offers(
    session: AsyncSession, lead_id: int, now: datetime
) -> Sequence[tuple[LeadOffer, EndReason | None, User]]:
    """Return the lead's open, due, automatic offers in order of precedence, each with its user's ineligibility."""
    statement = (
        select(LeadOffer, ineligibility(now), User)
        .join(User, col(User.id) == col(LeadOffer.user_id))
        .where(
            col(LeadOffer.lead_id) == lead_id,
            col(LeadOffer.assign_automatically).is_(True),
            IS_OPEN,
            col(LeadOffer.notify_at) <= now,
        )
        .order_by(col(LeadOffer.notify_at), col(LeadOffer.rank).nulls_last(), col(LeadOffer.id))
    )
    return (await session.exec(statement, execution_options={"populate_existing": True})).all()
