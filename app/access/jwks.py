"""The public keys of an identity provider, fetched from its JWKS URL (RFC 7517) and cached.

PyJWT's own client would block the event loop. The keys are fetched again after an hour, and when a token names an
unknown key, but at most once a minute: otherwise every forged token would cause a request to the provider.
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
"""The minimum time between two requests to the provider, in seconds."""

MAX_AGE = 3600.0
"""The seconds after which the keys are fetched again, so that a withdrawn key is no longer accepted."""

FETCH_SECONDS = 5.0


class KeySet:
    """The keys behind one URL. `version` counts how often they were fetched; `clock` returns seconds."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.version = 0
        self._url = url
        self._clock = clock
        self._keys: list[jwt.PyJWK] = []
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key with this id for RS256 or ES256, or the only key of the algorithm if the token names none.

        Raises UNAVAILABLE if the keys have never been fetched.
        """
        if self._is_old() or self._matching(kid, algorithm) is None:
            async with self._lock:
                if self._clock() - self._tried >= PAUSE:
                    await self._refresh()
        if self._fetched == float("-inf"):
            message = "The identity provider's keys cannot be fetched. Try again later."
            raise ApiError(Code.UNAVAILABLE, message, {"retryAfter": int(PAUSE)})
        return self._matching(kid, algorithm)

    def _is_old(self) -> bool:
        return self._clock() - self._fetched >= MAX_AGE

    def _matching(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        matching = [key for key in self._keys if key.algorithm_name == algorithm]
        if kid is None:
            return matching[0] if len(matching) == 1 else None
        return next((key for key in matching if key.key_id == kid), None)

    async def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            self._keys = await fetch_keys(self._url)
        except FETCH_ERRORS as error:
            logger.warning("Cannot fetch the keys at %s; keeping the previous ones: %r", self._url, error)
            return
        self._fetched = self._clock()
        self.version += 1


FETCH_ERRORS = (httpx2.HTTPError, ValueError, KeyError, TypeError)
"""The errors of `fetch_keys`: the provider cannot be reached, or responds with something else."""


async def fetch_keys(url: str) -> list[jwt.PyJWK]:
    """Return the provider's keys that sign with one of our algorithms."""
    async with httpx2.AsyncClient(timeout=FETCH_SECONDS) as http:
        response = await http.get(url)
    response.raise_for_status()
    return _signing_keys(response.json()["keys"])


def _signing_keys(listed: list[dict[str, str]]) -> list[jwt.PyJWK]:
    """Return the keys that sign with one of our algorithms. Providers also list encryption keys and other types."""
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
