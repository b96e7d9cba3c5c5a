"""Who gets a lead: the one conditional write, what it ends, and declining."""

from datetime import datetime

from sqlalchemy import bindparam, case, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import visibility
from app.commands import deliveries, events
from app.commands.locking import lock_lead
from app.commands.moving_up import move_up
from app.commands.obstacles import claimable
from app.errors import Code, Refusal
from app.instants import format_instant
from app.models import OPEN_STATUSES, ClaimedVia, EndReason, Lead, LeadOffer, LeadOfferStatus, User, UTCDateTime, stored
from app.observability import metrics

_ID = col(LeadOffer.id) == bindparam("offer_id")
_FOUND = select(LeadOffer).where(_ID, visibility.offers(bindparam("viewer_id")))
_MAY_CLAIM = select(LeadOffer.id).where(_ID, claimable(bindparam("now", type_=UTCDateTime)))


async def claim_lead_offer(
    session: AsyncSession, viewer_id: int, offer_id: int, via: ClaimedVia, now: datetime
) -> LeadOffer:
    """Gives the offer's lead to the viewer, whose offer it is. Who has it already gets the same answer again.

    Raises a Refusal: NOT_FOUND, FORBIDDEN (somebody else's offer), ALREADY_CLAIMED, or OFFER_NOT_OPEN while nobody has
    the lead (rules of claiming).
    """
    lead, offer = await _own_offer(session, viewer_id, offer_id)
    if lead.claimed_by_id == viewer_id:
        return offer
    if lead.claimed_by_id is not None:
        raise await already_claimed(session, lead)
    if (await session.exec(_MAY_CLAIM, params={"offer_id": offer_id, "now": now})).one_or_none() is None:
        raise Refusal(Code.OFFER_NOT_OPEN, _why_not_open(offer, now))
    await take_lead(session, lead.id, viewer_id, via, now)
    await session.refresh(offer)
    return offer


async def decline_lead_offer(session: AsyncSession, viewer_id: int, offer_id: int, now: datetime) -> LeadOffer:
    """Ends the viewer's own open offer. Who comes next by rank moves up where nobody else can claim the lead.

    Raises a Refusal: NOT_FOUND, FORBIDDEN (somebody else's offer), or OFFER_NOT_OPEN.
    """
    lead, offer = await _own_offer(session, viewer_id, offer_id)
    if offer.status is LeadOfferStatus.DECLINED:
        return offer
    if offer.status not in OPEN_STATUSES:
        raise Refusal(Code.OFFER_NOT_OPEN, _why_not_open(offer, now))
    offer.status = LeadOfferStatus.DECLINED
    await session.flush()
    await deliveries.cancel(session, col(LeadOffer.id) == offer_id)
    await move_up(session, lead.id, now)
    return offer


async def _own_offer(session: AsyncSession, viewer_id: int, offer_id: int) -> tuple[Lead, LeadOffer]:
    """The lead of the viewer's own offer, locked, and the offer as it is then."""
    wanted = {"offer_id": offer_id, "viewer_id": viewer_id}
    offer = (await session.exec(_FOUND, params=wanted)).one_or_none()
    if offer is None:
        raise Refusal(Code.NOT_FOUND, "There is no such offer.")
    if offer.user_id != viewer_id:
        raise Refusal(Code.FORBIDDEN, "Only the user whom a lead is offered to may answer the offer.")
    lead = await lock_lead(session, offer.lead_id)
    await session.refresh(offer)
    return lead, offer


_ENDED = {
    LeadOfferStatus.CLAIMED: "You have this lead: release it to give it back.",
    LeadOfferStatus.DECLINED: "This offer was declined.",
    LeadOfferStatus.EXPIRED: "Somebody else has claimed this lead.",
    LeadOfferStatus.CANCELLED: "This offer was withdrawn.",
}


def _why_not_open(offer: LeadOffer, now: datetime) -> str:
    if offer.status in _ENDED:
        return _ENDED[offer.status]
    if offer.notify_at is not None and offer.notify_at > now:
        return f"This offer opens at {format_instant(offer.notify_at)}."
    return "This offer's user is not in the team any more."


async def take_lead(session: AsyncSession, lead_id: int, user_id: int, via: ClaimedVia, now: datetime) -> bool:
    """Gives an unclaimed lead to the user and ends its offers; False where somebody has it already.

    One conditional write decides: of any number who try at once exactly one gets True. In the same transaction the
    user's own offer is claimed, the others end, and nobody is told of the lead any more (rules of claiming).
    """
    taken = await session.exec(
        update(Lead)
        .where(col(Lead.id) == lead_id, col(Lead.claimed_by_id).is_(None))
        .values(claimed_by_id=user_id, claimed_at=now, claimed_via=via)
        .returning(col(Lead.created_at)),
        execution_options={"synchronize_session": False},
    )
    created_at = taken.scalar_one_or_none()
    if created_at is None:
        return False
    metrics.lead_taken(session, via.name, (now - created_at).total_seconds())
    await end_offers(session, lead_id, user_id)
    await events.offer_claimed(session, lead_id, user_id, via, created_at, now)
    return True


async def end_offers(session: AsyncSession, lead_id: int, holder_id: int) -> None:
    """What follows from a claim: the holder's offer is claimed, every other ends, nobody is told any more."""
    is_holders = col(LeadOffer.user_id) == holder_id
    can_end = col(LeadOffer.status).in_((*OPEN_STATUSES, LeadOfferStatus.CLAIMED))
    await session.exec(
        update(LeadOffer)
        .where(col(LeadOffer.lead_id) == lead_id, or_(is_holders, can_end))
        .values(
            status=case(
                (is_holders, stored(LeadOfferStatus.CLAIMED)),
                (col(LeadOffer.status) == LeadOfferStatus.SCHEDULED, stored(LeadOfferStatus.CANCELLED)),
                else_=stored(LeadOfferStatus.EXPIRED),
            ),
            end_reason=case((is_holders, None), else_=stored(EndReason.CLAIMED)),
        ),
        execution_options={"synchronize_session": False},
    )
    await deliveries.cancel(session, col(LeadOffer.lead_id) == lead_id)


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
