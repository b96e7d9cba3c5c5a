"""Answers to messages: a link that was opened, a key that was pressed, a text that was replied."""

from datetime import datetime

from sqlalchemy import Insert, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.claim import claim_lead_offer
from app.commands.eligibility import claimable
from app.db.models import LeadOffer, TextReply, TextStop, User
from app.domain.enums import ClaimedVia
from app.errors import ApiError, Code


async def claim_as_told(session: AsyncSession, offer_id: int, via: ClaimedVia, now: datetime) -> LeadOffer:
    """Claims for the user whom the message went to. Refusals are those of a claim."""
    found = select(LeadOffer.user_id).where(col(LeadOffer.id) == offer_id)
    user_id = (await session.exec(found)).one_or_none()
    if user_id is None:
        raise ApiError(Code.NOT_FOUND, "There is no such offer.")
    return await claim_lead_offer(session, user_id, offer_id, via, now)


async def take_reply(session: AsyncSession, reply_id: str, phone: str, now: datetime) -> int | None:
    """The offer that a reply from this number claims: the newest open one, or none.

    The provider may tell of a reply twice. What it is about is decided the first time: else it would claim one lead
    after the other.
    """
    new = {"id": reply_id, "offer_id": await _newest_open_offer(session, phone, now), "received_at": now}
    await session.exec(_NEW_REPLY[session.get_bind().dialect.name], params=new)
    return (await session.exec(select(TextReply.offer_id).where(col(TextReply.id) == reply_id))).one()


async def _newest_open_offer(session: AsyncSession, phone: str, now: datetime) -> int | None:
    open_to_them = (
        select(LeadOffer.id)
        .join(User, col(User.id) == col(LeadOffer.user_id))
        .where(col(User.phone) == phone, claimable(now))
        .order_by(col(LeadOffer.notify_at).desc().nulls_last(), col(LeadOffer.id).desc())
    )
    return (await session.exec(open_to_them.limit(1))).one_or_none()


async def stop_texts(session: AsyncSession, phone: str, now: datetime) -> None:
    """No text is sent to this number any more, for any user who has it now; asking again changes nothing."""
    for user_id in (await session.exec(select(User.id).where(col(User.phone) == phone))).all():
        new = {"user_id": user_id, "phone": phone, "stopped_at": now}
        await session.exec(_NEW_STOP[session.get_bind().dialect.name], params=new)


async def allow_texts(session: AsyncSession, phone: str) -> None:
    """Texts are sent to this number again."""
    await session.exec(delete(TextStop).where(col(TextStop.phone) == phone))


_REPLIES, _STOPS = (SQLModel.metadata.tables[name] for name in ("text_replies", "text_stops"))
_NEW_REPLY: dict[str, Insert] = {
    "postgresql": postgresql.insert(_REPLIES).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(_REPLIES).on_conflict_do_nothing(),
}
_NEW_STOP: dict[str, Insert] = {
    "postgresql": postgresql.insert(_STOPS).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(_STOPS).on_conflict_do_nothing(),
}
