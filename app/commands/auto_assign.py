"""Automatic assignment: an offer that takes the unclaimed lead for its user when it is due."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import deliveries
from app.commands.claim import take_lead
from app.commands.eligibility import ineligibility
from app.commands.escalation import escalate
from app.commands.withdrawal import withdraw_unsent
from app.db.alert_columns import alerts_of
from app.db.models import LeadOffer, User
from app.domain.enums import OPEN_STATUSES, ClaimedVia, EndReason
from app.domain.quiet_hours import quiet_until


async def auto_assign(session: AsyncSession, lead_id: int, now: datetime) -> bool:
    """Gives an unclaimed lead to the user of its first automatic offer that is due; whether it was given.

    The user is then told. Offers before it are held while their users have quiet hours, and withdrawn, as far as they
    are not sent, where their users have left, are away or were switched off; who moves up in their place may have an
    automatic offer too. The caller has locked the lead.
    """
    reasons: dict[int, EndReason] = {}
    taker: LeadOffer | None = None
    for offer, reason, user in await _automatic_and_due(session, lead_id, now):
        if reason is not None:
            reasons[offer.id] = reason
        elif (held_until := quiet_until(user.quiet_hours_start, user.quiet_hours_end, user.timezone, now)) is not None:
            offer.held_until = held_until
        else:
            taker = offer
            break
    await session.flush()
    await withdraw_unsent(session, reasons)
    if taker is not None:
        return await _give(session, taker, now)
    moved = bool(reasons) and await escalate(session, lead_id, now)
    return moved and await auto_assign(session, lead_id, now)


async def _give(session: AsyncSession, offer: LeadOffer, now: datetime) -> bool:
    if offer.user_id is None or not await take_lead(session, offer.lead_id, offer.user_id, ClaimedVia.AUTO, now):
        return False
    await deliveries.schedule(session, [(offer.id, channel, now) for channel in alerts_of(offer).channels])
    return True


async def _automatic_and_due(
    session: AsyncSession, lead_id: int, now: datetime
) -> Sequence[tuple[LeadOffer, EndReason | None, User]]:
    """The lead's open automatic offers whose moment has come, whose turn is first, each with what hinders its user."""
    statement = (
        select(LeadOffer, ineligibility(now), User)
        .join(User, col(User.id) == col(LeadOffer.user_id))
        .where(
            col(LeadOffer.lead_id) == lead_id,
            col(LeadOffer.assign_automatically).is_(True),
            col(LeadOffer.status).in_(OPEN_STATUSES),
            col(LeadOffer.notify_at) <= now,
        )
        .order_by(col(LeadOffer.notify_at), col(LeadOffer.rank).nulls_last(), col(LeadOffer.id))
    )
    return (await session.exec(statement, execution_options={"populate_existing": True})).all()
