"""Replies to messages that claim a lead: a link that was opened, a key that was pressed, a text that was sent."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.claim import claim_lead_offer
from app.commands.offer_standing import claimable
from app.db.compiled import Statement
from app.db.models import Contact, Lead, LeadOffer, TextReply, User
from app.domain.enums import ClaimedVia
from app.errors import ApiError, Code

_REPLIES = SQLModel.metadata.tables["text_replies"]
_NEW = {column.name: bindparam(column.name, type_=column.type) for column in _REPLIES.c}
# SQLite accepts PostgreSQL's ON CONFLICT.
_STORE = Statement[None](postgresql.insert(_REPLIES).values(_NEW).on_conflict_do_nothing())

MAX_CHOICES = 100
"""The newest open offers of a number among which the one that a text names is looked for."""


@dataclass(frozen=True, slots=True)
class TextReplyWords:
    """A text that claims: the provider's id, the number that sent it, and the lead and the person that it names."""

    id: str
    phone: str
    lead_id: int | None = None
    first_name: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """An open offer to somebody with the number that sent a text."""

    offer_id: int
    lead_id: int
    user_id: int
    first_name: str
    contact: Contact

    def is_named_by(self, reply: TextReplyWords) -> bool:
        """Whether the text names this lead and this person, or leaves them out."""
        return self.is_about(reply) and (
            reply.first_name is None or _spoken(reply.first_name) == _spoken(self.first_name)
        )

    def is_about(self, reply: TextReplyWords) -> bool:
        """Whether the text names this lead, or no lead."""
        return reply.lead_id in (None, self.lead_id)


@dataclass(frozen=True, slots=True)
class Match:
    """The offer that a text claims, or the open offers between which it did not decide. Both may be missing."""

    offer_id: int | None
    choices: Sequence[Choice]
    is_shared: bool = False
    """Whether several users have the number."""


async def claim_by_reply(session: AsyncSession, offer_id: int, via: ClaimedVia, now: datetime) -> LeadOffer:
    """Claim the offer for the user to whom it was made. Raises the ApiErrors of `claim_lead_offer`."""
    found = select(LeadOffer.user_id).where(col(LeadOffer.id) == offer_id)
    user_id = (await session.exec(found)).one_or_none()
    if user_id is None:
        raise ApiError(Code.NOT_FOUND, "There is no such offer.")
    return await claim_lead_offer(session, user_id, offer_id, via, now)


async def match_text_reply(session: AsyncSession, reply: TextReplyWords, now: datetime) -> Match:
    """Return the offer that a text claims.

    That is the newest open offer of the number's user, or of the lead that the text names. If several users have the
    number, the text must name the lead, and also the user where the lead is offered to two of them: without that it
    claims nothing, and the choices say between what. A name that no user of the number has claims nothing either, also
    where one user has the number: `1 please` or `yes but later` may not be meant as a claim.

    The provider may report a text more than once. The match is stored the first time, so that a repeated report does
    not claim another lead.
    """
    open_offers = await _claimable(session, reply.phone, now)
    named = [each for each in open_offers if each.is_named_by(reply)]
    is_shared = await _is_shared(session, reply.phone)
    names_user = reply.lead_id is not None or reply.first_name is not None or not is_shared
    is_clear = names_user and len({each.user_id for each in named}) == 1
    offer_id = await remember_text_reply(session, reply.id, named[0].offer_id if is_clear else None, now)
    choices = [] if is_clear else [each for each in open_offers if each.is_about(reply)]
    return Match(offer_id, choices, is_shared)


async def remember_text_reply(session: AsyncSession, reply_id: str, offer_id: int | None, now: datetime) -> int | None:
    """Store the offer that a text claims, None for no offer, and return what was stored when it was first reported."""
    await _STORE.run(session, id=reply_id, offer_id=offer_id, received_at=now)
    return (await session.exec(select(TextReply.offer_id).where(col(TextReply.id) == reply_id))).one()


async def is_repeated(session: AsyncSession, reply_id: str) -> bool:
    """Return whether a text was remembered before."""
    return (await session.exec(select(TextReply.id).where(col(TextReply.id) == reply_id))).first() is not None


def _spoken(name: str) -> str:
    """Return the key by which names in texts are compared: without case, spaces and punctuation, if more is left."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\W_]", "", folded) or folded


async def _claimable(session: AsyncSession, phone: str, now: datetime) -> list[Choice]:
    newest_first = (
        select(LeadOffer, User, Contact)
        .join(User, col(User.id) == col(LeadOffer.user_id))
        .join(Lead, col(Lead.id) == col(LeadOffer.lead_id))
        .join(Contact, col(Contact.id) == col(Lead.contact_id))
        .where(col(User.phone) == phone, claimable(now))
        .order_by(col(LeadOffer.notify_at).desc().nulls_last(), col(LeadOffer.id).desc())
    )
    rows = await session.exec(newest_first.limit(MAX_CHOICES))
    return [Choice(offer.id, offer.lead_id, user.id, user.first_name or "", contact) for offer, user, contact in rows]


async def _is_shared(session: AsyncSession, phone: str) -> bool:
    users = await session.exec(select(User.id).where(col(User.phone) == phone, col(User.is_active).is_(True)).limit(2))
    return len(users.all()) > 1
