"""Authentication: finds the viewer behind a request's access token or API key, and the scopes that it grants."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from sqlalchemy import bindparam
from sqlmodel import col, select

from app.access.api_keys import ApiKeys, KeyOfViewer, invalid_key, is_active
from app.access.rate_limits import RateLimits
from app.access.sign_up import sign_up
from app.access.tokens import Identity, Tokens, bearer_token
from app.config import Settings
from app.db.compiled import Statement
from app.db.engine import Database
from app.db.models import ApiKey, User
from app.db.sqlalchemy_internals import detached
from app.db.types import UTCDateTime
from app.domain.api_key_form import looks_like_key
from app.domain.enums import ApiScope
from app.domain.timestamps import utc_now
from app.errors import ApiError, Code
from app.observability import requests

INTAKE_ALONE = frozenset({ApiScope.INTAKE})
"""The scopes of a key that may stand in a public page."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The authenticated user of a request, who is active, and the scopes of their token or API key."""

    user: User
    scopes: frozenset[str]
    key: KeyOfViewer | None = None
    """The API key; None for a token."""

    @property
    def id(self) -> int:
        return self.user.id

    def require(self, scope: ApiScope) -> None:
        """Raises FORBIDDEN unless the token or key has the scope."""
        if scope not in self.scopes:
            bearer = "API key" if self.key else "access token"
            raise ApiError(Code.FORBIDDEN, f"The {bearer} lacks the scope {scope}.")

    def refuse_key(self) -> None:
        """Raises FORBIDDEN if the viewer used an API key: a leaked key must not create others."""
        if self.key:
            message = "An API key can neither create nor revoke API keys. Use an access token, or the command line."
            raise ApiError(Code.FORBIDDEN, message)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Authenticates requests of every transport, and applies the rate limits to them. `clock` returns the time."""

    db: Database
    tokens: Tokens
    keys: ApiKeys
    limits: RateLimits
    clock: Callable[[], datetime]

    async def identify(self, authorization: str | None, address: str | None) -> Identity:
        """Verify the token or key of a GraphQL request. `address` is the client's IP address.

        Raises UNAUTHENTICATED, RATE_LIMITED, FORBIDDEN for an INTAKE key, or UNAVAILABLE if the identity provider's
        keys cannot be fetched. Whether the user exists and is active, and the key still valid, is checked by
        `find_viewer`.
        """
        identity = await self._identify(authorization, address)
        if identity.scopes == INTAKE_ALONE:
            await self._refuse_intake(identity)
        return identity

    async def verify(self, authorization: str | None) -> Identity:
        """Verify the token or key of a long-lived connection as `identify` does, without counting a request."""
        identity = await self._verify(authorization)
        if identity.scopes == INTAKE_ALONE:
            await self._refuse_intake(identity)
        return identity

    async def admit(self, authorization: str | None, address: str | None) -> Viewer:
        """Verify the token or key of a REST request, whatever its scopes, and return its user.

        Raises UNAUTHENTICATED if no active user has it, and otherwise as `identify`.
        """
        return await find_viewer(self.db, await self._identify(authorization, address), self.clock())

    async def admit_key(self, key: str, address: str | None) -> Viewer:
        """Verify a key that stands in the address of a request, and return its user.

        The request counts for the client's address and for the key, but not for the user: visitors of a public page
        must not use up the requests of the user's own programs. Raises UNAUTHENTICATED, RATE_LIMITED, and
        FORBIDDEN for a key that has other scopes than INTAKE, because addresses are logged by others.
        """
        await self.limits.count_address(address)
        identity = await self._find_key(key)
        assert identity.key is not None
        await self.limits.count_key(identity.key.prefix)
        viewer = await find_viewer(self.db, identity, self.clock())
        if viewer.scopes != INTAKE_ALONE:
            raise ApiError(Code.FORBIDDEN, "Only an API key with the scope INTAKE alone may stand in an address.")
        return viewer

    async def close(self) -> None:
        """Write what is noted about API keys, and close the connections of the rate limits."""
        await self.keys.close()
        await self.limits.close()

    async def _identify(self, authorization: str | None, address: str | None) -> Identity:
        await self.limits.count_address(address)
        identity = await self._verify(authorization)
        request = requests.current()
        request.reader = identity.user_id or identity.email
        request.user_id = identity.user_id
        await self.limits.count_user(request.reader)
        return identity

    async def _verify(self, authorization: str | None) -> Identity:
        bearer = bearer_token(authorization)
        return await (self._find_key(bearer) if looks_like_key(bearer) else self.tokens.identify(authorization))

    async def _find_key(self, key: str) -> Identity:
        known = await self.keys.find(key, self.clock())
        request = requests.current()
        request.user_id = request.reader = known.user_id
        request.key = known.key.prefix
        return Identity(known.user_id, None, known.scopes, known.expires, known.key)

    async def _refuse_intake(self, identity: Identity) -> NoReturn:
        """Raise FORBIDDEN, but UNAUTHENTICATED if the token or key is no longer valid."""
        await find_viewer(self.db, identity, self.clock())
        message = "The scope INTAKE alone is for POST /leads and POST /intake only."
        raise ApiError(Code.FORBIDDEN, message)


def make_authenticator(db: Database, settings: Settings, clock: Callable[[], datetime] = utc_now) -> Authenticator:
    """Return the authenticator of a server. Raises ValueError, naming the setting, if no key is configured."""
    return Authenticator(db, Tokens(settings), ApiKeys(db), RateLimits(settings), clock)


_ACTIVE = select(User).where(col(User.is_active))
_BY_ID = Statement(_ACTIVE.where(col(User.id) == bindparam("id")), detached(User))
_BY_EMAIL = Statement(_ACTIVE.where(col(User.email) == bindparam("email")), detached(User))
_BY_KEY = Statement(
    _ACTIVE.join(ApiKey, col(ApiKey.user_id) == col(User.id)).where(
        col(ApiKey.id) == bindparam("key_id"), is_active(bindparam("now", type_=UTCDateTime))
    ),
    detached(User),
)


async def find_viewer(db: Database, identity: Identity, now: datetime) -> Viewer:
    """Return the user that a token or key identifies. A newcomer's account is created.

    Raises UNAUTHENTICATED unless it is an active user, and the key neither revoked nor expired.
    """
    if identity.key is not None:
        users = await _BY_KEY.read(db, key_id=identity.key.id, now=now)
    elif identity.email is not None:
        users = await _BY_EMAIL.read(db, email=identity.email)
    else:
        users = await _BY_ID.read(db, id=identity.user_id)
    if not users and identity.newcomer is not None:
        users = await sign_up(db, identity.newcomer)
    if not users:
        if identity.key is not None:
            raise invalid_key()
        raise ApiError(Code.UNAUTHENTICATED, "The access token does not belong to an active user.")
    return Viewer(users[0], identity.scopes, identity.key)
