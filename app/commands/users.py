"""Accounts of people who sign in with a bearer token."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.locks import lock_leads_of_open_offers
from app.commands.withdrawal import withdraw_open
from app.db.models import Contact, Lead, LeadOffer, User
from app.domain.enums import EndReason
from app.domain.validation import checking
from app.errors import ApiError, Code


@dataclass(frozen=True, slots=True)
class HeldLead:
    """A lead that somebody has, and whose enquiry it is."""

    lead: Lead
    contact: Contact


async def create_user(
    session: AsyncSession, *, email: str, first_name: str, last_name: str, timezone: str, phone: str | None = None
) -> User:
    """A new, active user.

    BAD_USER_INPUT for what is no address, phone number or time zone, CONFLICT where somebody has the address.
    """
    with checking() as check:
        email = (check.email("email", email) or "").lower()
        first_name, last_name = check.name("first_name", first_name), check.name("last_name", last_name)
        phone = check.phone("phone", phone)
        if not _is_timezone(timezone):
            check.refuse("timezone", f"{timezone!r} is no IANA time zone, as America/Los_Angeles is")
    if await find_user(session, email) is not None:
        raise ApiError(Code.CONFLICT, f"There is a user {email} already.")
    user = User(email=email, first_name=first_name, last_name=last_name, timezone=timezone, phone=phone)
    session.add(user)
    await session.flush()
    return user


async def find_user(session: AsyncSession, email: str) -> User | None:
    """The user of an address, switched off or not."""
    return (await session.exec(select(User).where(col(User.email) == email.strip().lower()))).one_or_none()


async def deactivate_user(session: AsyncSession, email: str, now: datetime) -> Sequence[HeldLead]:
    """Switches the user off and withdraws their open offers; the leads that they hold and keep, oldest first.

    Their tokens open nothing any more. NOT_FOUND where nobody has the address.
    """
    user = await _known_user(session, email)
    offers = col(LeadOffer.user_id) == user.id
    leads = await lock_leads_of_open_offers(session, offers)
    user.is_active = False
    await session.flush()
    await withdraw_open(session, leads, offers, EndReason.SWITCHED_OFF, now)
    held = select(Lead, Contact).join(Contact).where(col(Lead.claimed_by_id) == user.id).order_by(col(Lead.id))
    return [HeldLead(lead, contact) for lead, contact in await session.exec(held)]


async def activate_user(session: AsyncSession, email: str) -> None:
    """Switches the user on again. A new submit offers what was withdrawn. NOT_FOUND where nobody has the address."""
    user = await _known_user(session, email)
    user.is_active = True
    await session.flush()


async def _known_user(session: AsyncSession, email: str) -> User:
    user = await find_user(session, email)
    if user is None:
        raise ApiError(Code.NOT_FOUND, f"No user has the address {email}.")
    return user


def _is_timezone(timezone: str) -> bool:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # unknown, no relative path, a folder of zones
        return False
    return True
