"""What a bearer token says, once it is known to be ours or our identity provider's.

Two kinds are taken. HS256, signed with our secret: what `lead-offers token` prints. RS256 and ES256, signed with a key
of the identity provider. The algorithm decides which keys are asked, so that a public key is never taken for a secret.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cachetools import LRUCache

from app.access.jwks import ALGORITHMS, KeySet
from app.config import PREFIX, Settings
from app.domain.identifiers import parse_id
from app.errors import ApiError, Code

SECRET_ALGORITHM = "HS256"  # noqa: S105 the name of an algorithm

MAX_LENGTH = 8192
"""Characters of a token."""

REMEMBERED = 4096
"""Verified tokens that are not verified again: 35 µs with a secret, three times that with a public key."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a valid token says: whom it stands for, by id or address, and what it allows.

    There may be no such user, or one who was switched off: that is for the database to say.
    """

    user_id: int | None
    email: str | None
    scopes: frozenset[str]
    expires: float
    """Seconds since 1970."""


class Tokens:
    """Tells valid tokens from others. ValueError names the setting where there is no key to tell them by."""

    def __init__(self, settings: Settings) -> None:
        if settings.jwks_url is None:
            signing_key(settings)
        self._settings = settings
        self._keys = KeySet(settings.jwks_url) if settings.jwks_url else None
        self._remembered: LRUCache[tuple[int, str], Identity] = LRUCache(REMEMBERED)

    async def identify(self, authorization: str | None) -> Identity:
        """What the token of an Authorization header says. UNAUTHENTICATED unless it is valid now.

        UNAVAILABLE where the identity provider has not answered yet.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise _unauthenticated("Send an access token: Authorization: Bearer <token>.")
        identity = self._remembered.get(self._key(token)) or await self._verify(token)
        if identity.expires <= time.time():
            raise _unauthenticated("The access token has expired.")
        return identity

    def _key(self, token: str) -> tuple[int, str]:
        """A token that was verified with keys of before is verified again: its key may have been withdrawn."""
        return self._keys.version if self._keys else 0, token

    async def _verify(self, token: str) -> Identity:
        try:
            identity = self._identity(await self._claims(token))
        except jwt.ExpiredSignatureError as error:
            raise _unauthenticated("The access token has expired.") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise _unauthenticated("The access token is not valid.") from error
        self._remembered[self._key(token)] = identity
        return identity

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_LENGTH:
            raise jwt.InvalidTokenError("too long")
        header = jwt.get_unverified_header(token)
        algorithm = str(header.get("alg"))
        return jwt.decode(
            token,
            await self._find_key(algorithm, header.get("kid")),
            algorithms=[algorithm],
            issuer=self._settings.jwt_issuer,
            audience=self._settings.jwt_audience,
            options={
                "require": ["exp", self._settings.jwt_user_claim],
                "verify_aud": self._settings.jwt_audience is not None,
                "verify_iat": False,  # when it was made says nothing about whether it is valid, and clocks differ
            },
        )

    async def _find_key(self, algorithm: str, kid: str | None) -> Any:
        if algorithm == SECRET_ALGORITHM and self._settings.jwt_secret is not None:
            return signing_key(self._settings)
        if algorithm in ALGORITHMS and self._keys is not None:
            key = await self._keys.find(kid, algorithm)
            if key is not None:
                return key.key
        raise jwt.InvalidTokenError("no key for it")

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        user = str(claims[self._settings.jwt_user_claim])
        by_address = "@" in user
        if by_address and claims.get("email_verified", True) not in (True, "true"):
            raise jwt.InvalidTokenError("the address is not verified")
        return Identity(
            None if by_address else parse_id(user),
            user.strip().lower() if by_address else None,
            _scopes(claims.get("scope", claims.get("scp"))),
            float(claims["exp"]),
        )


def signing_key(settings: Settings) -> str:
    """The secret of the access tokens. ValueError names the setting where it is missing."""
    if settings.jwt_secret is None:
        raise ValueError(f"{PREFIX}JWT_SECRET is missing: the key of the access tokens, at least 32 bytes of text")
    return settings.jwt_secret.get_secret_value()


def _scopes(claim: object) -> frozenset[str]:
    """Parted by spaces, as OAuth has them, or a list, as some providers do."""
    return frozenset(map(str, claim)) if isinstance(claim, list) else frozenset(str(claim or "").split())


def _unauthenticated(message: str) -> ApiError:
    return ApiError(Code.UNAUTHENTICATED, message)
