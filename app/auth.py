"""Bearer tokens: who is asking, and what the token lets them do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import jwt
from sqlmodel import col, select

from app.config import PREFIX, Settings
from app.db import Database
from app.errors import Code, Refusal
from app.ids import parse_id
from app.models import User

ALGORITHM = "HS256"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="lead-offers"'}
"""The header of every answer to who is not let in."""


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
    claims = _claims(settings, authorization)
    user_id = parse_id(str(claims["sub"]))
    async with db.read() as session:
        user = (await session.exec(select(User).where(col(User.id) == user_id, col(User.is_active)))).one_or_none()
    if user is None:
        raise _unauthenticated("The access token stands for no active user.")
    return Viewer(user, frozenset(str(claims.get("scope", "")).split()))


def _claims(settings: Settings, authorization: str | None) -> dict[str, Any]:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _unauthenticated("Send an access token: Authorization: Bearer <token>.")
    try:
        return jwt.decode(
            token.strip(), signing_key(settings), algorithms=[ALGORITHM], options={"require": ["exp", "sub"]}
        )
    except jwt.ExpiredSignatureError as error:
        raise _unauthenticated("The access token has expired.") from error
    except jwt.InvalidTokenError as error:
        raise _unauthenticated("The access token is not valid.") from error


def _unauthenticated(message: str) -> Refusal:
    return Refusal(Code.UNAUTHENTICATED, message)
