"""How many requests a user and an address may send. Off unless set."""

import logging
import time
from ipaddress import IPv6Address, ip_address
from math import ceil

from limits import RateLimitItem, parse
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.storage import storage_from_string

from app.config import Settings
from app.errors import ApiError, Code

logger = logging.getLogger(__name__)


class RateLimits:
    """Counts requests, in this process or in a store that several share."""

    def __init__(self, settings: Settings) -> None:
        per_user, per_address = settings.rate_limit_per_user, settings.rate_limit_per_address
        self._per_user = parse(per_user) if per_user else None
        self._per_address = parse(per_address) if per_address else None
        store = settings.rate_limit_storage
        url = store.get_secret_value() if store else "async+memory://"
        self._limiter = SlidingWindowCounterRateLimiter(storage_from_string(url))

    async def count_user(self, user: object) -> None:
        """RATE_LIMITED where the user, by id or e-mail address, has sent too many requests."""
        if self._per_user:
            await self._count(self._per_user, "user", str(user))

    async def count_address(self, address: str | None) -> None:
        """RATE_LIMITED where too many requests have come from the address; of IPv6 from its network, the first half."""
        if self._per_address and address is not None:
            await self._count(self._per_address, "address", _network(address))

    async def _count(self, limit: RateLimitItem, *of: str) -> None:
        try:
            if await self._limiter.hit(limit, *of):
                return
            seconds = max(1, ceil((await self._limiter.get_window_stats(limit, *of)).reset_time - time.time()))
        except Exception:
            # The store is a convenience; without it everybody would be locked out.
            logger.exception("The store of the rate limits failed; nobody is limited")
            return
        message = f"Too many requests: {limit} are allowed to one {of[0]}. Try again in {seconds} seconds."
        raise ApiError(Code.RATE_LIMITED, message, {"retryAfter": seconds})


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else address
