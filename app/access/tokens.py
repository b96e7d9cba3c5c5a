"""Access tokens (JWT): issues and verifies them, and reads their claims.

Two kinds are accepted: HS256, signed with our secret, as printed by `lead-offers token`; and RS256 or ES256, signed
with a key of the identity provider. The algorithm decides which keys are tried, so that a public key is never used as
a secret.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cachetools import LRUCache

from app.access.api_keys import KeyOfViewer
from app.access.jwks import ALGORITHMS, KeySet
from app.access.sign_up import Newcomer, newcomer_of
from app.config import PREFIX, Settings
from app.domain.enums import ApiScope
from app.domain.identifiers import parse_id
from app.domain.validation import fold_email
from app.errors import ApiError, Code

SECRET_ALGORITHM = "HS256"  # noqa: S105 the name of an algorithm

MAX_LENGTH = 8192
"""The maximum length of a token, in characters."""

TOKEN_SCOPES = (ApiScope.READ, ApiScope.WRITE)
"""The scopes that the command line issues tokens with. The scope `intake` is for API keys."""

CACHED_TOKENS = 4096
"""How many verified tokens are cached, so that their signatures are not verified on every request."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The user that a valid token or an API key identifies, by id or e-mail address, and its scopes.

    The user may not exist or be deactivated, and the key may be revoked; only the database knows.
    """

    user_id: int | None
    email: str | None
    scopes: frozenset[str]
    expires: float
    """Seconds since the epoch; infinite for a key that never expires."""
    key: KeyOfViewer | None = None
    """The API key; None for a token."""
    newcomer: Newcomer | None = None
    """The person behind the address, who may get an account; None if an unknown address gets none."""


class Tokens:
    """Verifies tokens. Raises ValueError, naming the setting, if no key is configured."""

    def __init__(self, settings: Settings) -> None:
        if settings.jwks_url is None:
            signing_key(settings)
        self._settings = settings
        self._keys = KeySet(settings.jwks_url) if settings.jwks_url else None
        self._verified: LRUCache[tuple[int, str], Identity] = LRUCache(CACHED_TOKENS)

    async def identify(self, authorization: str | None) -> Identity:
        """Return the identity in the token of an Authorization header. Raises UNAUTHENTICATED unless it is valid now.

        Raises UNAVAILABLE if the identity provider's keys have never been fetched.
        """
        token = bearer_token(authorization)
        identity = self._verified.get(self._key(token)) or await self._verify(token)
        if identity.expires <= time.time():
            raise _unauthenticated("The access token has expired.")
        return identity

    def _key(self, token: str) -> tuple[int, str]:
        """Return the cache key. It changes with the provider's keys, because a token's key may have been withdrawn."""
        return self._keys.version if self._keys else 0, token

    async def _verify(self, token: str) -> Identity:
        try:
            claims = await self._claims(token)
            is_ours = jwt.get_unverified_header(token)["alg"] == SECRET_ALGORITHM
            identity = self._identity(claims, is_ours=is_ours)
        except jwt.ExpiredSignatureError as error:
            raise _unauthenticated("The access token has expired.") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise _unauthenticated("The access token is not valid.") from error
        self._verified[self._key(token)] = identity
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
            leeway=self._settings.jwt_leeway_seconds,  # `identify` applies none to exp
            options={
                "require": ["exp", self._settings.jwt_user_claim],
                "verify_aud": self._settings.jwt_audience is not None,
                "verify_sub": False,  # some providers send an id as a number
                "verify_iat": False,  # clocks differ, and a token issued "in the future" is not invalid for that
            },
        )

    async def _find_key(self, algorithm: str, kid: str | None) -> Any:
        if algorithm == SECRET_ALGORITHM and self._settings.jwt_secret is not None:
            return signing_key(self._settings)
        if algorithm in ALGORITHMS and self._keys is not None:
            key = await self._keys.find(kid, algorithm)
            if key is not None:
                return key.key
        raise jwt.InvalidTokenError("no matching key")

    def _identity(self, claims: Mapping[str, Any], *, is_ours: bool) -> Identity:
        claim = claims[self._settings.jwt_user_claim]
        user = str(int(claim) if isinstance(claim, float) and claim.is_integer() else claim)  # 2.0 is 2 in JSON
        by_address = "@" in user
        if not by_address and not is_ours and self._settings.jwt_user_claim == "email":
            raise jwt.InvalidTokenError("not an address")  # people type their address, and could type somebody's id
        if by_address and claims.get("email_verified", True) not in (True, "true"):
            raise jwt.InvalidTokenError("the address is not verified")
        email = fold_email(user) if by_address else None
        return Identity(
            None if by_address else parse_id(user),
            email,
            _scopes(claims.get("scope", claims.get("scp"))),
            float(claims["exp"]),
            newcomer=newcomer_of(email, claims) if self._settings.sign_up and not is_ours and email else None,
        )


def bearer_token(authorization: str | None) -> str:
    """Return the token or API key in an Authorization header. Raises UNAUTHENTICATED if there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise _unauthenticated("Send an access token or an API key: Authorization: Bearer <token>.")
    return token


def issue_token(settings: Settings, user_id: int, scopes: str, hours: float, now: datetime) -> str:
    """Return an access token for a user. It expires `hours` after `now`; `scopes` are separated by spaces.

    Raises ValueError if the setting of the signing key is missing.
    """
    claims: dict[str, Any] = {"scope": scopes, "iat": now, "exp": now + timedelta(hours=hours)}
    claims |= {"sub": str(user_id), settings.jwt_user_claim: str(user_id)}
    claims |= {"iss": settings.jwt_issuer} if settings.jwt_issuer else {}
    claims |= {"aud": settings.jwt_audience} if settings.jwt_audience else {}
    return jwt.encode(claims, signing_key(settings), SECRET_ALGORITHM)


def signing_key(settings: Settings) -> str:
    """Return the secret that signs access tokens and links. Raises ValueError if its setting is missing."""
    if settings.jwt_secret is None:
        raise ValueError(f"{PREFIX}JWT_SECRET is missing: it signs the access tokens, with at least 32 bytes")
    return settings.jwt_secret.get_secret_value()


def _scopes(claim: object) -> frozenset[str]:
    """Read scopes separated by spaces, as in OAuth, or as a list, as some providers send them."""
    return frozenset(map(str, claim)) if isinstance(claim, list) else frozenset(str(claim or "").split())


def _unauthenticated(message: str) -> ApiError:
    return ApiError(Code.UNAUTHENTICATED, message)
