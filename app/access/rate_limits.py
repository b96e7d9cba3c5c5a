"""Rate limits per user and per client address, which are off by default, and per API key in an address."""

import logging
import time
from ipaddress import IPv6Address, ip_address
from math import ceil

from limits import RateLimitItem, parse
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from app.config import PREFIX, Settings
from app.errors import ApiError, Code

logger = logging.getLogger(__name__)


class RateLimits:
    """Counts requests, in this process or in a Redis that several processes share.

    Raises ValueError, naming the setting, if the storage cannot be used here.
    """

    def __init__(self, settings: Settings) -> None:
        per_user, per_address = settings.rate_limit_per_user, settings.rate_limit_per_address
        self._per_user = parse(per_user) if per_user else None
        self._per_address = parse(per_address) if per_address else None
        self._per_key = parse(settings.rate_limit_per_intake_key)
        store = settings.rate_limit_storage
        try:
            # coredis takes a password as it stands in the address, unless it is asked to decode it.
            storage = (
                storage_from_string(store.get_secret_value(), decode_components=True)
                if store
                else storage_from_string("async+memory://")
            )
        except (ConfigurationError, ValueError) as error:
            reason = "needs version 5 of the package coredis, or the address has options that it cannot read"
            raise ValueError(f"{PREFIX}RATE_LIMIT_STORAGE: {reason}") from error
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def check(self) -> None:
        """Read a counter that nobody uses. Raises an error of the storage if that does not work."""
        await self._limiter.test(parse("1/minute"), "check")

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
        try:
            if await self._limiter.hit(limit, kind, key):
                return
            seconds = max(1, ceil((await self._limiter.get_window_stats(limit, kind, key)).reset_time - time.time()))
        except Exception:
            # Rejecting requests would turn an outage of Redis into one of the server.
            logger.exception("The storage of the rate limits failed; this request is not limited")
            return
        message = f"Too many requests: the limit is {limit} per {kind}. Try again in {seconds} seconds."
        raise ApiError(Code.RATE_LIMITED, message, {"retryAfter": seconds})


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else address
