"""Taking back offers whose moment has come, but whose users have left, are away, or were switched off."""

from collections.abc import Mapping

from sqlalchemy import case, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.db.models import LeadOffer
from app.db.types import stored
from app.domain.enums import EndReason, LeadOfferStatus


async def withdraw_unsent(session: AsyncSession, reasons: Mapping[int, EndReason]) -> None:
    """Cancels these offers, by id, as far as they are still scheduled; nothing more is sent of any of them.

    The caller has locked their leads.
    """
    if not reasons:
        return
    among_them = col(LeadOffer.id).in_(reasons)
    by_id = case({offer_id: stored(reason) for offer_id, reason in reasons.items()}, value=col(LeadOffer.id))
    await session.exec(
        update(LeadOffer)
        .where(among_them, col(LeadOffer.status) == LeadOfferStatus.SCHEDULED)
        .values(status=LeadOfferStatus.CANCELLED, end_reason=by_id),
        execution_options={"synchronize_session": False},
    )
    await outbox.cancel_deliveries(session, among_them)
