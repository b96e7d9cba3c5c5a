"""User accounts: an operator creates, deactivates and activates them, and users change their own profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.sign_up import lock_address, turn_into_memberships
from app.commands.availability import change_user
from app.commands.locks import lock_late_leads, lock_leads_of_offers, lock_user
from app.commands.offer_standing import IS_OPEN
from app.commands.withdrawal import withdraw_open
from app.db.models import Contact, Lead, LeadOffer, User
from app.domain.enums import EndReason
from app.domain.validation import Check, Rules, checking, fold_email
from app.errors import ApiError, Code, Problem, bad_input

_PROFILE: Rules = {
    "first_name": Check.name,
    "last_name": Check.name,
    "phone": Check.phone,
    "timezone": Check.timezone,
}


@dataclass(frozen=True, slots=True)
class HeldLead:
    """A lead that a user has claimed, and its contact."""

    lead: Lead
    contact: Contact


async def create_user(
    session: AsyncSession, *, email: str, first_name: str, last_name: str, timezone: str, phone: str | None = None
) -> User:
    """Create an active user, with the invitations that wait for their address.

    Raises BAD_USER_INPUT, and CONFLICT if a user has the address already.
    """
    profile = {"first_name": first_name, "last_name": last_name, "phone": phone, "timezone": timezone}
    with checking() as check:
        email = check.user_email("email", email)
        checked = check.each(_PROFILE, profile)
    await lock_address(session, email)
    if await find_user(session, email) is not None:
        raise ApiError(Code.CONFLICT, f"A user with the e-mail address {email} already exists.")
    user = User(email=email, **checked)
    session.add(user)
    await session.flush()
    await turn_into_memberships(session, [email])
    return user


async def update_user(session: AsyncSession, user_id: int, changes: Mapping[str, Any], now: datetime) -> User:
    """Change the fields of a profile that `changes` names. Quiet hours follow the time zone. Raises BAD_USER_INPUT."""
    with checking() as check:
        checked = check.each(_PROFILE, changes)
    return await change_user(session, user_id, checked, now)


async def find_user(session: AsyncSession, email: str) -> User | None:
    """Return the user with this address, active or not. Raises BAD_USER_INPUT if it is not an address.

    A user from before addresses were checked is found by what is stored.
    """
    try:
        key = fold_email(email)
    except ValueError as error:
        stored = (await session.exec(select(User).where(col(User.email) == email))).one_or_none()
        if stored is None:
            raise bad_input(Problem("email", f"{email!r} {error}")) from error
        return stored
    return (await session.exec(select(User).where(col(User.email) == key))).one_or_none()


async def get_user(session: AsyncSession, email: str) -> User:
    """Return the user with this address, active or not. Raises NOT_FOUND, and BAD_USER_INPUT as `find_user`."""
    user = await find_user(session, email)
    if user is None:
        raise ApiError(Code.NOT_FOUND, f"No user has the e-mail address {email}.")
    return user


async def get_active_user(session: AsyncSession, email: str) -> User:
    """Return the active user with this address. Raises NOT_FOUND, and BAD_USER_INPUT as `find_user`."""
    user = await find_user(session, email)
    if user is None or not user.is_active:
        raise ApiError(Code.NOT_FOUND, f"No active user has the address {email}.")
    return user


async def deactivate_user(session: AsyncSession, email: str, now: datetime) -> Sequence[HeldLead]:
    """Deactivate a user and withdraw their open offers. Their tokens and API keys are no longer accepted.

    Return the leads that the user holds and keeps, by id. Raises NOT_FOUND.
    """
    user = await get_user(session, email)
    offers = and_(IS_OPEN, col(LeadOffer.user_id) == user.id)
    leads = await lock_leads_of_offers(session, offers)
    user = await lock_user(session, user.id)
    leads = await lock_late_leads(session, offers, leads)
    user.is_active = False
    await session.flush()
    await withdraw_open(session, leads, offers, EndReason.SWITCHED_OFF, now)
    held = select(Lead, Contact).join(Contact).where(col(Lead.claimed_by_id) == user.id).order_by(col(Lead.id))
    return [HeldLead(lead, contact) for lead, contact in await session.exec(held)]


async def activate_user(session: AsyncSession, email: str) -> None:
    """Activate a user again. Withdrawn offers come back only by a new submit. Raises NOT_FOUND."""
    user = await lock_user(session, (await get_user(session, email)).id)
    user.is_active = True
    await session.flush()
