"""Moving up: when nobody can claim a lead now, those who come next by rank are offered it at once."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, bindparam, or_, update
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.eligibility import claimable
from app.db.models import Lead, LeadOffer
from app.domain.enums import DeliveryStatus, LeadOfferStatus, OrderMethod

_OFFERS, _DELIVERIES = (SQLModel.metadata.tables[name] for name in ("lead_offers", "deliveries"))
_MOVE_OFFER = update(_OFFERS).where(_OFFERS.c.id == bindparam("offer")).values(notify_at=bindparam("at"))
_MOVE_DELIVERIES = (
    update(_DELIVERIES)
    .where(_DELIVERIES.c.offer_id == bindparam("offer"), _DELIVERIES.c.status == DeliveryStatus.PENDING)
    .values(next_attempt_at=bindparam("at"))
)


async def escalate(session: AsyncSession, lead_id: int, now: datetime) -> bool:
    """Moves the lead's scheduled rank offers forward, the next of them to `now`; whether any moved.

    Nothing moves while somebody has the lead or can claim it, and offers by time keep their moment. The caller has
    locked the lead.
    """
    if not await _is_stuck(session, lead_id, now):
        return False
    rows = await session.exec(_AHEAD, params={"lead_id": lead_id, "now": now})
    ahead = [(offer_id, notify_at) for offer_id, notify_at in rows if notify_at is not None]
    if not ahead:
        return False
    shift = min(notify_at for _, notify_at in ahead) - now
    moves = [{"offer": offer_id, "at": notify_at - shift} for offer_id, notify_at in ahead]
    await session.exec(_MOVE_OFFER, params=moves)
    await session.exec(_MOVE_DELIVERIES, params=moves)
    return True


def _by_rank() -> ColumnElement[bool]:
    """Imported offers do not say how they were ordered: a rank tells."""
    imported = and_(col(LeadOffer.order_method).is_(None), col(LeadOffer.rank).is_not(None))
    return or_(col(LeadOffer.order_method) == OrderMethod.RANK, imported)


_AHEAD = select(LeadOffer.id, LeadOffer.notify_at).where(
    col(LeadOffer.lead_id) == bindparam("lead_id"),
    col(LeadOffer.status) == LeadOfferStatus.SCHEDULED,
    col(LeadOffer.notify_at) > bindparam("now"),
    _by_rank(),
)


async def _is_stuck(session: AsyncSession, lead_id: int, now: datetime) -> bool:
    can_be_claimed = select(LeadOffer.id).where(col(LeadOffer.lead_id) == lead_id, claimable(now)).exists()
    stuck = select(Lead.id).where(col(Lead.id) == lead_id, col(Lead.claimed_by_id).is_(None), ~can_be_claimed)
    return (await session.exec(stuck)).one_or_none() is not None
