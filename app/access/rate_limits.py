"""Rate limits per user and per client address, which are off by default, and per API key in an address."""

import asyncio
import logging
import time
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import TYPE_CHECKING

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from app.access.circuit_breaker import CircuitBreaker
from app.config import PREFIX, Settings
from app.errors import ApiError, Code
from app.observability.metrics import RATE_LIMITS_SKIPPED

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

logger = logging.getLogger(__name__)

REDIS_SECONDS = 0.25
"""How long a request waits for Redis, connecting included, before it goes on without being limited."""

CONNECTIONS = 20
"""Connections of a process to Redis. A burst of requests waits for them in turn: otherwise, the server would be busy
with the others while a response waits, and take that for a delay of Redis."""

PAUSE_SECONDS = 1.0
"""How long Redis is left alone after a failure."""

LOG_SECONDS = 60.0
"""How often the log reports that Redis fails."""


class RateLimits:
    """Counts requests, in this process or in a Redis that several processes share.

    While Redis fails or is too slow, requests are not limited: rejecting them would turn an outage of Redis into one of
    the server. Raises ValueError, naming the setting, if Redis cannot be used here.
    """

    def __init__(self, settings: Settings) -> None:
        per_user, per_address = settings.rate_limit_per_user, settings.rate_limit_per_address
        self._per_user = parse(per_user) if per_user else None
        self._per_address = parse(per_address) if per_address else None
        self._per_key = parse(settings.rate_limit_per_intake_key)

        store = settings.rate_limit_storage
        self._pool = connection_pool(store.get_secret_value()) if store else None
        storage = (
            RedisStorage("redis://", implementation="redispy", connection_pool=self._pool)  # type: ignore[arg-type]
            if self._pool
            else MemoryStorage()
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._breaker = CircuitBreaker(PAUSE_SECONDS)
        self._next_log = 0.0

    async def check(self) -> None:
        """Read a counter that nobody uses. Raises an error of the storage if that does not work."""
        await self._limiter.test(parse("1/minute"), "check")

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._pool:
            await self._pool.disconnect()

    async def count_user(self, user: object) -> None:
        """Count a request of a user, given by id or e-mail address. Raises RATE_LIMITED if they sent too many."""
        if self._per_user:
            await self._count(self._per_user, "user", str(user))

    async def count_address(self, address: str | None) -> None:
        """Count a request from an IP address (IPv6: from its /64). Raises RATE_LIMITED if there were too many."""
        if self._per_address and address is not None:
            await self._count(self._per_address, "address", _network(address))

    async def count_key(self, prefix: str) -> None:
        """Count a request with an API key in its address, given by its prefix. Raises RATE_LIMITED if too many came."""
        await self._count(self._per_key, "key", prefix)

    async def _count(self, limit: RateLimitItem, kind: str, key: str) -> None:
        seconds = await (self._hit_redis if self._pool else self._hit)(limit, kind, key)
        if seconds is not None:
            message = f"Too many requests: the limit is {limit} per {kind}. Try again in {seconds} seconds."
            raise ApiError(Code.RATE_LIMITED, message, {"retryAfter": seconds})

    async def _hit(self, limit: RateLimitItem, kind: str, key: str) -> int | None:
        """Count a request. Return None, or how many seconds to wait if there were too many."""
        if await self._limiter.hit(limit, kind, key):
            return None
        return max(1, ceil((await self._limiter.get_window_stats(limit, kind, key)).reset_time - time.time()))

    async def _hit_redis(self, limit: RateLimitItem, kind: str, key: str) -> int | None:
        """Count a request as `_hit` does. Return None as well if Redis fails, is too slow, or has just failed."""
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            RATE_LIMITS_SKIPPED.inc()
            self._log(f"no connection was free within {REDIS_SECONDS} s")
            return None
        try:
            return await self._call_redis(limit, kind, key)
        finally:
            self._turns.release()

    async def _call_redis(self, limit: RateLimitItem, kind: str, key: str) -> int | None:
        if not self._breaker.allows_call():
            RATE_LIMITS_SKIPPED.inc()
            return None
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                seconds = await self._hit(limit, kind, key)
        except Exception as error:  # of the network, of Redis, or of its client
            self._breaker.failed()
            RATE_LIMITS_SKIPPED.inc()
            is_slow = isinstance(error, TimeoutError)
            self._log(f"no response within {REDIS_SECONDS} s" if is_slow else f"{type(error).__name__}: {error}")
            return None
        self._breaker.succeeded()
        return seconds

    def _log(self, reason: str) -> None:
        if time.monotonic() < self._next_log:
            return
        self._next_log = time.monotonic() + LOG_SECONDS
        logger.warning("Requests are not limited, because Redis fails: %s", reason)


def connection_pool(url: str) -> "ConnectionPool":
    """Return a pool of connections to Redis. Raises ValueError, naming the setting, if the URL cannot be used here."""
    name = f"{PREFIX}RATE_LIMIT_STORAGE"
    try:
        from redis.asyncio import ConnectionPool  # noqa: PLC0415  an extra, which not every installation has
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
    except ImportError as error:
        raise ValueError(f"{name} needs the package redis, version 7: pip install 'lead-offers[redis]'") from error
    try:
        # Retried once, for a connection that Redis or a firewall has closed. The time limit is ours.
        retry = Retry(NoBackoff(), 1)
        pool = ConnectionPool.from_url(url.removeprefix("async+"), retry=retry)
        pool.make_connection()  # type: ignore[no-untyped-call]  # reads the options; connects later
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} has options after the ? that the package redis does not know") from error
    return pool


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else address
