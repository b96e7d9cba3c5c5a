"""Escalation: if nobody can claim a lead now, the next tier of a rollout by rank is offered it at once."""

from datetime import datetime

from sqlalchemy import and_, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.offer_standing import claimable
from app.db.models import Delivery, Lead, LeadOffer
from app.domain.enums import DeliveryStatus, LeadOfferStatus, OrderMethod


async def escalate(session: AsyncSession, lead_id: int, now: datetime) -> bool:
    """Move the lead's scheduled offers by rank and in turn forward, so that the first is due now.

    Return whether any moved. All of them move by the same amount. Nothing moves while somebody has the lead or can
    claim it. Offers by time keep their `notify_at`. The caller has locked the lead, and may have waited for it since
    `now`: deliveries that a worker has begun to send meanwhile stay as they are, or they would be sent again.
    """
    can_be_claimed = select(LeadOffer.id).where(col(LeadOffer.lead_id) == lead_id, claimable(now)).exists()
    stuck = select(Lead.id).where(col(Lead.id) == lead_id, col(Lead.claimed_by_id).is_(None), ~can_be_claimed)
    if (await session.exec(stuck)).one_or_none() is None:
        return False

    # An imported offer does not have the order of its rollout, but only a rollout by rank has ranks.
    imported_by_rank = and_(col(LeadOffer.order_method).is_(None), col(LeadOffer.rank).is_not(None))
    ahead = select(LeadOffer).where(
        col(LeadOffer.lead_id) == lead_id,
        col(LeadOffer.status) == LeadOfferStatus.SCHEDULED,
        col(LeadOffer.notify_at) > now,
        or_(col(LeadOffer.order_method).in_((OrderMethod.RANK, OrderMethod.ROUND_ROBIN)), imported_by_rank),
    )
    offers = (await session.exec(ahead, execution_options={"populate_existing": True})).all()
    moments = {offer.id: offer.notify_at for offer in offers if offer.notify_at is not None}
    if not moments:
        return False

    shift = min(moments.values()) - now
    for offer in offers:
        offer.notify_at = moments[offer.id] - shift
    await session.flush()
    new_time = select(LeadOffer.notify_at).where(col(LeadOffer.id) == col(Delivery.offer_id)).scalar_subquery()
    await session.exec(
        update(Delivery)
        .where(
            col(Delivery.offer_id).in_(moments),
            col(Delivery.status) == DeliveryStatus.PENDING,
            col(Delivery.lease).is_(None),
        )
        .values(next_attempt_at=new_time),
        execution_options={"synchronize_session": False},
    )
    return True
