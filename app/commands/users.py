"""Accounts of people who sign in with a bearer token."""

from zoneinfo import ZoneInfo

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.errors import Code, Problem, Refusal, bad_input
from app.models import User


async def create_user(
    session: AsyncSession, *, email: str, first_name: str, last_name: str, timezone: str, phone: str | None = None
) -> User:
    """A new, active user.

    BAD_USER_INPUT for what is no address or no time zone, CONFLICT where somebody has the address.
    """
    email = email.strip().lower()
    problems = [*_email_problems(email), *_timezone_problems(timezone)]
    if problems:
        raise bad_input(*problems)
    if await find_user(session, email) is not None:
        raise Refusal(Code.CONFLICT, f"There is a user {email} already.")
    user = User(email=email, first_name=first_name, last_name=last_name, timezone=timezone, phone=phone)
    session.add(user)
    await session.flush()
    return user


async def find_user(session: AsyncSession, email: str) -> User | None:
    """The user of an address, switched off or not."""
    return (await session.exec(select(User).where(col(User.email) == email.strip().lower()))).one_or_none()


def _email_problems(email: str) -> list[Problem]:
    name, at, host = email.rpartition("@")
    looks_right = name and at and host and not any(character.isspace() for character in email)
    return [] if looks_right else [Problem("email", f"{email!r} is no e-mail address")]


def _timezone_problems(timezone: str) -> list[Problem]:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # unknown, no relative path, a folder of zones
        return [Problem("timezone", f"{timezone!r} is no IANA time zone, as America/Los_Angeles is")]
    return []
