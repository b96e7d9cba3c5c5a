"""Public keys of an identity provider, fetched from its JWKS address (RFC 7517) and kept.

Fetched without blocking, unlike by PyJWT's own client; again after an hour, and when a token names a key that is not
there, but never twice within a minute: else every forged token would be a request to the provider.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import httpx2
import jwt

from app.errors import ApiError, Code

logger = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "ES256")

PAUSE = 60.0
"""Seconds between two requests to the provider, at least."""

MAX_AGE = 3600.0
"""Seconds after which the keys are fetched again: one that the provider has withdrawn is gone by then."""

FETCH_SECONDS = 5.0


class KeySet:
    """The keys behind one address. `clock` counts seconds."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.version = 0
        self._url = url
        self._clock = clock
        self._keys: list[jwt.PyJWK] = []
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key of that id for RS256 or ES256; without an id the only key there is.

        UNAVAILABLE where the provider has never answered.
        """
        if self._is_old() or self._matching(kid, algorithm) is None:
            async with self._lock:
                if self._clock() - self._tried >= PAUSE:
                    await self._refresh()
        if self._fetched == float("-inf"):
            raise ApiError(
                Code.UNAVAILABLE, "The keys of the identity provider cannot be had now.", {"retryAfter": int(PAUSE)}
            )
        return self._matching(kid, algorithm)

    def _is_old(self) -> bool:
        return self._clock() - self._fetched >= MAX_AGE

    def _matching(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [key for key in self._keys if key.algorithm_name == algorithm]
        if kid is None:
            return fitting[0] if len(fitting) == 1 else None
        return next((key for key in fitting if key.key_id == kid), None)

    async def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            async with httpx2.AsyncClient(timeout=FETCH_SECONDS) as http:
                answer = await http.get(self._url)
            answer.raise_for_status()
            self._keys = _signing_keys(answer.json()["keys"])
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
            logger.warning("The keys at %s cannot be had; those fetched before stay: %r", self._url, error)
            return
        self._fetched = self._clock()
        self.version += 1


def _signing_keys(listed: list[dict[str, str]]) -> list[jwt.PyJWK]:
    """Those of our algorithms; what else a provider lists, for encryption or of another kind, is none of ours."""
    keys = []
    for item in listed:
        if item.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(item)
        except jwt.PyJWTError:
            continue
        if key.algorithm_name in ALGORITHMS:
            keys.append(key)
    return keys
