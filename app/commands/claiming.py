"""Who gets a lead: the one conditional write, what follows from it, and automatic assignment."""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile

from sqlalchemy import case, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import deliveries
from app.commands.withdrawal import obstacle, withdraw_unsent
from app.errors import Code, Refusal
from app.instants import format_instant
from app.models import OPEN_STATUSES, ClaimedVia, EndReason, Lead, LeadOffer, LeadOfferStatus, User, stored


async def take_lead(session: AsyncSession, lead_id: int, user_id: int, via: ClaimedVia, now: datetime) -> bool:
    """Gives an unclaimed lead to the user and ends its offers; False where somebody has it already.

    One conditional write decides: of any number who try at once exactly one gets True. In the same transaction the
    user's own offer is claimed, the others end, and nobody is told of the lead any more (rules of claiming).
    """
    taken = await session.exec(
        update(Lead)
        .where(col(Lead.id) == lead_id, col(Lead.claimed_by_id).is_(None))
        .values(claimed_by_id=user_id, claimed_at=now, claimed_via=via),
        execution_options={"synchronize_session": False},
    )
    if taken.rowcount == 0:
        return False
    await _end_offers(session, lead_id, user_id)
    await deliveries.cancel(session, col(LeadOffer.lead_id) == lead_id)
    return True


async def _end_offers(session: AsyncSession, lead_id: int, holder_id: int) -> None:
    is_holders = col(LeadOffer.user_id) == holder_id
    await session.exec(
        update(LeadOffer)
        .where(col(LeadOffer.lead_id) == lead_id, or_(is_holders, col(LeadOffer.status).in_(OPEN_STATUSES)))
        .values(
            status=case(
                (is_holders, stored(LeadOfferStatus.CLAIMED)),
                (col(LeadOffer.status) == LeadOfferStatus.SENT, stored(LeadOfferStatus.EXPIRED)),
                else_=stored(LeadOfferStatus.CANCELLED),
            ),
            end_reason=case((is_holders, None), else_=stored(EndReason.CLAIMED)),
        ),
        execution_options={"synchronize_session": False},
    )


async def assign_automatically(session: AsyncSession, lead_id: int, now: datetime) -> bool:
    """Gives an unclaimed lead to the user of its first automatic offer that is due; whether it was given.

    The user is then told. Offers before it whose users have left, are away or were switched off are withdrawn as far
    as they are not sent. The caller has locked the lead.
    """
    due = await _automatic_and_due(session, lead_id, now)
    await withdraw_unsent(session, {offer.id: reason for offer, reason in takewhile(lambda one: one[1], due) if reason})
    taker = next((offer for offer, reason in due if reason is None), None)
    if taker is None or taker.user_id is None:
        return False
    if not await take_lead(session, lead_id, taker.user_id, ClaimedVia.AUTO, now):
        return False
    await deliveries.schedule(session, [(taker.id, channel, now) for channel in deliveries.channels(taker)])
    return True


async def _automatic_and_due(
    session: AsyncSession, lead_id: int, now: datetime
) -> Sequence[tuple[LeadOffer, EndReason | None]]:
    """The lead's open automatic offers whose moment has come, whose turn is first, each with what hinders its user."""
    statement = (
        select(LeadOffer, obstacle(now))
        .where(
            col(LeadOffer.lead_id) == lead_id,
            col(LeadOffer.assign_automatically).is_(True),
            col(LeadOffer.status).in_(OPEN_STATUSES),
            col(LeadOffer.notify_at) <= now,
            col(LeadOffer.user_id).is_not(None),
        )
        .order_by(col(LeadOffer.notify_at), col(LeadOffer.rank).nulls_last(), col(LeadOffer.id))
    )
    return (await session.exec(statement)).all()


async def already_claimed(session: AsyncSession, lead: Lead) -> Refusal:
    """The refusal that names the holder of a claimed lead and since when they hold it (null if imported without)."""
    holder = await session.get_one(User, lead.claimed_by_id)
    return Refusal(
        Code.ALREADY_CLAIMED,
        f"{holder.first_name} {holder.last_name} has this lead.",
        {
            "claimedBy": {"id": str(holder.id), "firstName": holder.first_name, "lastName": holder.last_name},
            "claimedAt": lead.claimed_at and format_instant(lead.claimed_at),
        },
    )
