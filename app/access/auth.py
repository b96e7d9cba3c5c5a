"""Authentication: finds the viewer behind a request's bearer token, and the scopes that the token grants."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import bindparam
from sqlmodel import col, select

from app.access.rate_limits import RateLimits
from app.access.tokens import Identity, Tokens
from app.config import Settings
from app.db.compiled import Statement
from app.db.engine import Database
from app.db.models import User
from app.db.sqlalchemy_internals import detached
from app.errors import ApiError, Code
from app.observability import requests


class Scope(StrEnum):
    """The permissions of a token: `read` for queries and subscriptions, `write` for mutations."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The authenticated user of a request, who is active, and the scopes of their token."""

    user: User
    scopes: frozenset[str]

    @property
    def id(self) -> int:
        return self.user.id

    def require(self, scope: Scope) -> None:
        """Raises FORBIDDEN unless the token has the scope."""
        if scope not in self.scopes:
            raise ApiError(Code.FORBIDDEN, f"The access token lacks the scope {scope}.")


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Authenticates requests of every transport, and applies the rate limits to them."""

    db: Database
    tokens: Tokens
    limits: RateLimits

    async def identify(self, authorization: str | None, address: str | None) -> Identity:
        """Verify the token of an Authorization header. `address` is the client's IP address.

        Raises UNAUTHENTICATED, RATE_LIMITED, or UNAVAILABLE if the identity provider's keys cannot be fetched. Whether
        the user exists and is active is checked by `find_viewer`.
        """
        await self.limits.count_address(address)
        identity = await self.tokens.identify(authorization)
        request = requests.current()
        request.user_id, request.reader = identity.user_id, identity.user_id or identity.email
        await self.limits.count_user(request.reader)
        return identity

    async def admit(self, authorization: str | None, address: str | None) -> Viewer:
        """Verify the token as `identify` does, and return its user. Raises UNAUTHENTICATED if no active user has it."""
        return await find_viewer(self.db, await self.identify(authorization, address))


def make_authenticator(db: Database, settings: Settings) -> Authenticator:
    """Return the authenticator of a server. Raises ValueError, naming the setting, if no key is configured."""
    return Authenticator(db, Tokens(settings), RateLimits(settings))


_ACTIVE = select(User).where(col(User.is_active))
_BY_ID = Statement(_ACTIVE.where(col(User.id) == bindparam("key")), detached(User))
_BY_EMAIL = Statement(_ACTIVE.where(col(User.email) == bindparam("key")), detached(User))


async def find_viewer(db: Database, identity: Identity) -> Viewer:
    """Return the user that a token identifies. Raises UNAUTHENTICATED unless it is an active user."""
    statement, key = (_BY_ID, identity.user_id) if identity.email is None else (_BY_EMAIL, identity.email)
    users = await statement.read(db, key=key)
    if not users:
        raise ApiError(Code.UNAUTHENTICATED, "The access token does not belong to an active user.")
    return Viewer(users[0], identity.scopes)
