"""Bearer tokens: who is asking, and what the token lets them do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import jwt
from sqlalchemy import bindparam
from sqlmodel import col, select

from app.access.rate_limits import RateLimits
from app.access.tokens import SECRET_ALGORITHM, Identity, Tokens, signing_key
from app.config import Settings
from app.db.compiled import Statement
from app.db.engine import Database
from app.db.models import User
from app.db.sqlalchemy_internals import detached
from app.errors import ApiError, Code
from app.observability import requests


class Scope(StrEnum):
    """What a token allows: `read` queries and subscriptions, `write` mutations."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever asks: an active user, and the scopes of their token."""

    user: User
    scopes: frozenset[str]

    @property
    def id(self) -> int:
        return self.user.id

    def require(self, scope: Scope) -> None:
        """FORBIDDEN unless the token has the scope."""
        if scope not in self.scopes:
            raise ApiError(Code.FORBIDDEN, f"The access token lacks the scope {scope}.")


def issue_token(settings: Settings, user_id: int, scopes: str, hours: float, now: datetime) -> str:
    """A token for a user, with `scopes` parted by spaces, that expires `hours` after `now`."""
    claims: dict[str, Any] = {"scope": scopes, "iat": now, "exp": now + timedelta(hours=hours)}
    claims |= {"sub": str(user_id), settings.jwt_user_claim: str(user_id)}
    claims |= {"iss": settings.jwt_issuer} if settings.jwt_issuer else {}
    claims |= {"aud": settings.jwt_audience} if settings.jwt_audience else {}
    return jwt.encode(claims, signing_key(settings), SECRET_ALGORITHM)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Lets requests in, whatever the transport: of whom they are, and whether so many of them may come."""

    db: Database
    tokens: Tokens
    limits: RateLimits

    async def identify(self, authorization: str | None, address: str | None) -> Identity:
        """What the token of an Authorization header says, of a request from an address.

        UNAUTHENTICATED unless the token is valid, RATE_LIMITED, UNAVAILABLE. Whether the user is active is not known
        before `find_viewer`.
        """
        await self.limits.count_address(address)
        identity = await self.tokens.identify(authorization)
        requests.current().user_id = identity.user_id
        await self.limits.count_user(identity.user_id or identity.email)
        return identity

    async def admit(self, authorization: str | None, address: str | None) -> Viewer:
        """The viewer. As `identify`, and UNAUTHENTICATED unless the token is one of an active user."""
        return await find_viewer(self.db, await self.identify(authorization, address))


def make_authenticator(db: Database, settings: Settings) -> Authenticator:
    """ValueError names the setting where there is no key to tell tokens by."""
    return Authenticator(db, Tokens(settings), RateLimits(settings))


_ACTIVE = select(User).where(col(User.is_active))
_BY_ID = Statement(_ACTIVE.where(col(User.id) == bindparam("wanted")), detached(User))
_BY_EMAIL = Statement(_ACTIVE.where(col(User.email) == bindparam("wanted")), detached(User))


async def find_viewer(db: Database, identity: Identity) -> Viewer:
    """The viewer that a token stands for. UNAUTHENTICATED unless it is an active user."""
    found, wanted = (_BY_ID, identity.user_id) if identity.email is None else (_BY_EMAIL, identity.email)
    users = await found.read(db, wanted=wanted)
    if not users:
        raise ApiError(Code.UNAUTHENTICATED, "The access token stands for no active user.")
    return Viewer(users[0], identity.scopes)
