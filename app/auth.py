"""Bearer tokens: who is asking, and what the token lets them do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from time import time

import jwt
from sqlmodel import col, select

from app.config import PREFIX, Settings
from app.db import Database
from app.errors import Code, Refusal
from app.ids import parse_id
from app.models import User

ALGORITHM = "HS256"

REMEMBERED_TOKENS = 4096
"""Verified tokens that are not verified again: 35 µs of the 300 that a whole request takes."""
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="lead-offers"'}
"""The header of every answer to who is not let in."""


class Scope(StrEnum):
    """What a token allows: `read` queries and subscriptions, `write` mutations."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a valid token says: the user it stands for, who may not exist or be switched off, and what it allows."""

    user_id: int | None
    scopes: frozenset[str]
    expires: float
    """Seconds since 1970."""


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
            raise Refusal(Code.FORBIDDEN, f"The access token lacks the scope {scope}.")


def signing_key(settings: Settings) -> str:
    """The key of the access tokens. ValueError names the setting where it is missing."""
    if settings.jwt_secret is None:
        raise ValueError(f"{PREFIX}JWT_SECRET is missing: the key of the access tokens, at least 32 bytes of text")
    return settings.jwt_secret.get_secret_value()


def issue_token(settings: Settings, user_id: int, scopes: str, hours: float, now: datetime) -> str:
    """A token for a user, with `scopes` parted by spaces, that expires `hours` after `now`."""
    claims = {"sub": str(user_id), "scope": scopes, "iat": now, "exp": now + timedelta(hours=hours)}
    return jwt.encode(claims, signing_key(settings), algorithm=ALGORITHM)


async def authenticate(db: Database, settings: Settings, authorization: str | None) -> Viewer:
    """The viewer behind an Authorization header. UNAUTHENTICATED unless it holds a valid token of an active user."""
    return await find_viewer(db, identify(settings, authorization))


def identify(settings: Settings, authorization: str | None) -> Identity:
    """What the token of an Authorization header says. UNAUTHENTICATED unless it is valid now.

    Whether its user is active is not known before the database is asked.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _unauthenticated("Send an access token: Authorization: Bearer <token>.")
    try:
        identity = _verify(signing_key(settings), token.strip())
    except jwt.ExpiredSignatureError as error:
        raise _expired() from error
    except jwt.InvalidTokenError as error:
        raise _unauthenticated("The access token is not valid.") from error
    if identity.expires <= time():
        raise _expired()
    return identity


async def find_viewer(db: Database, identity: Identity) -> Viewer:
    """The viewer that a token stands for. UNAUTHENTICATED unless it is an active user."""
    async with db.read() as session:
        active = select(User).where(col(User.id) == identity.user_id, col(User.is_active))
        user = (await session.exec(active)).one_or_none()
    if user is None:
        raise _unauthenticated("The access token stands for no active user.")
    return Viewer(user, identity.scopes)


@lru_cache(REMEMBERED_TOKENS)
def _verify(key: str, token: str) -> Identity:
    """Raises jwt.InvalidTokenError. What is valid stays so until it expires."""
    claims = jwt.decode(token, key, algorithms=[ALGORITHM], options={"require": ["exp", "sub"]})
    return Identity(parse_id(str(claims["sub"])), frozenset(str(claims.get("scope", "")).split()), float(claims["exp"]))


def _expired() -> Refusal:
    return _unauthenticated("The access token has expired.")


def _unauthenticated(message: str) -> Refusal:
    return Refusal(Code.UNAUTHENTICATED, message)
