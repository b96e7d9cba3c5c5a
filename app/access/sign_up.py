"""Sign-up: creates the account of somebody whose identity provider has verified their e-mail address.

An account is created by the first request with such a token, whatever its transport, if the address has none. A
deactivated account stays as it is. Invitations that wait for the address become memberships.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, func
from sqlalchemy.dialects import postgresql
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.visibility import is_live
from app.db.engine import Database
from app.db.functions import member_of
from app.db.models import Team, TeamMember, User, WaitingInvitation
from app.domain.enums import RequestStatus
from app.domain.validation import fold_email, parse_name, parse_timezone

logger = logging.getLogger(__name__)

DEFAULT_TIMEZONE = "UTC"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person with a verified address, as their identity provider describes them."""

    email: str
    """As `fold_email` returns it."""
    first_name: str
    last_name: str
    """Empty if the token does not have it."""
    timezone: str


def newcomer_of(email: str, claims: Mapping[str, Any]) -> Newcomer | None:
    """Return the person behind the claims of a valid token whose user has this address.

    None unless the token says that the address is verified. `email_verified` is about the claim `email`, so that a
    different address there verifies nothing.
    """
    is_verified = claims.get("email_verified")
    if is_verified is not True and is_verified != "true":  # some providers send it as text
        return None
    if "email" in claims and _text(claims, "email", fold_email) != email:
        return None
    first, _, rest = (_text(claims, "name", parse_name) or "").partition(" ")
    return Newcomer(
        email,
        _text(claims, "given_name", parse_name) or first or email.partition("@")[0],
        _text(claims, "family_name", parse_name) or rest.strip(),
        _text(claims, "zoneinfo", parse_timezone) or DEFAULT_TIMEZONE,
    )


def _text(claims: Mapping[str, Any], name: str, parse: Callable[[str], str]) -> str | None:
    """Return the value of a claim that may be stored; None for any other, because it is not worth a refusal."""
    value = claims.get(name)
    if not isinstance(value, str):
        return None
    try:
        return parse(value)
    except ValueError:
        return None


async def sign_up(db: Database, newcomer: Newcomer) -> list[User]:
    """Create the account unless the address has one, and return the active user with the address, if there is one.

    If several calls for one address run at the same time, exactly one creates the account, and all of them return it.
    Only these calls write: a deactivated user may send any number of requests.
    """
    is_of_address = col(User.email) == newcomer.email

    async def create(session: AsyncSession) -> User:
        await lock_address(session, newcomer.email)
        new = postgresql.insert(User).values(  # SQLite accepts PostgreSQL's ON CONFLICT
            email=newcomer.email,
            first_name=newcomer.first_name,
            last_name=newcomer.last_name,
            timezone=newcomer.timezone,
            is_active=True,
        )
        created = await session.exec(new.on_conflict_do_nothing(index_elements=["email"]))
        if created.rowcount:
            await turn_into_memberships(session, [newcomer.email])
        user = (await session.exec(select(User).where(is_of_address))).one()
        if created.rowcount:
            logger.info("User %d has signed up", user.id)
        return user

    async with db.read() as session:
        users = [*await session.exec(select(User).where(is_of_address))]
    if not users:
        users = [await db.in_transaction(create)]
    return [user for user in users if user.is_active]


async def lock_address(session: AsyncSession, email: str) -> None:
    """Wait for other transactions that create an account or a waiting invitation for this address.

    Otherwise an invitation could go on waiting beside the account. The lock comes before all others. SQLite needs none.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.exec(select(func.pg_advisory_xact_lock(func.hashtext(f"account of {email}"))))


async def turn_into_memberships(session: AsyncSession, emails: Collection[str]) -> None:
    """Turn the invitations that wait for these addresses, which now have accounts, into pending memberships.

    Their e-mails are not sent any more. Locks the teams, in the order of app/commands/locks.py.
    """
    is_for_them = member_of(col(WaitingInvitation.email), emails)
    is_waiting = col(WaitingInvitation.removed_at).is_(None)
    inviting = select(WaitingInvitation.team_id).where(is_for_them, is_waiting)
    teams = select(Team.id).where(col(Team.id).in_(inviting), is_live()).order_by(col(Team.id))
    team_ids = (await session.exec(teams.with_for_update(read=True, key_share=True, of=Team))).all()
    is_member = exists(
        select(1).where(
            col(TeamMember.team_id) == col(WaitingInvitation.team_id), col(TeamMember.user_id) == col(User.id)
        )
    )
    invited = (
        select(WaitingInvitation.team_id, User.id)
        .join(User, col(User.email) == col(WaitingInvitation.email))
        .where(is_for_them, is_waiting, member_of(col(WaitingInvitation.team_id), team_ids), ~is_member)
        .order_by(col(WaitingInvitation.id))
    )
    for team_id, user_id in await session.exec(invited):
        session.add(TeamMember(team_id=team_id, user_id=user_id, request_status=RequestStatus.PENDING))
    await session.flush()
    await session.exec(delete(WaitingInvitation).where(is_for_them))
