"""Replies to messages that claim a lead: a link that was opened, a key that was pressed, a text that was sent."""

from datetime import datetime

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.claim import claim_lead_offer
from app.commands.eligibility import claimable
from app.db.compiled import Statement
from app.db.models import LeadOffer, TextReply, User
from app.domain.enums import ClaimedVia
from app.errors import ApiError, Code

_REPLIES = SQLModel.metadata.tables["text_replies"]
_NEW = {column.name: bindparam(column.name, type_=column.type) for column in _REPLIES.c}
# SQLite accepts PostgreSQL's ON CONFLICT.
_STORE = Statement[None](postgresql.insert(_REPLIES).values(_NEW).on_conflict_do_nothing())


async def claim_by_reply(session: AsyncSession, offer_id: int, via: ClaimedVia, now: datetime) -> LeadOffer:
    """Claim the offer for the user to whom it was made. Raises the ApiErrors of `claim_lead_offer`."""
    found = select(LeadOffer.user_id).where(col(LeadOffer.id) == offer_id)
    user_id = (await session.exec(found)).one_or_none()
    if user_id is None:
        raise ApiError(Code.NOT_FOUND, "There is no such offer.")
    return await claim_lead_offer(session, user_id, offer_id, via, now)


async def match_text_reply(session: AsyncSession, reply_id: str, phone: str, now: datetime) -> int | None:
    """Return the id of the offer that a text from this number claims: the newest open one, or None.

    The provider may report a reply more than once. The match is stored the first time, so that a repeated report does
    not claim another lead.
    """
    offer_id = await _newest_claimable(session, phone, now)
    await _STORE.run(session, id=reply_id, offer_id=offer_id, received_at=now)
    return (await session.exec(select(TextReply.offer_id).where(col(TextReply.id) == reply_id))).one()


async def _newest_claimable(session: AsyncSession, phone: str, now: datetime) -> int | None:
    newest_first = (
        select(LeadOffer.id)
        .join(User, col(User.id) == col(LeadOffer.user_id))
        .where(col(User.phone) == phone, claimable(now))
        .order_by(col(LeadOffer.notify_at).desc().nulls_last(), col(LeadOffer.id).desc())
    )
    return (await session.exec(newest_first.limit(1))).one_or_none()
