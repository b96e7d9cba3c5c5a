"""Rate limits by themselves: what is counted together, and what is not counted."""

import logging
from typing import Any

import pytest

from app.access.rate_limits import RateLimits
from app.errors import ApiError, Code
from tests.support.api import settings_for

ANY_DATABASE = "sqlite+aiosqlite:///unused.db"


@pytest.fixture(autouse=True)
def nothing_fails(caplog: pytest.LogCaptureFixture) -> Any:
    """A failure of the storage is logged, and the request passes: that would hide a mistake."""
    with caplog.at_level(logging.WARNING):
        yield
    assert caplog.text == ""


def limits(**settings: str) -> RateLimits:
    return RateLimits(settings_for(ANY_DATABASE, **settings))


async def test_without_a_limit_nothing_is_counted() -> None:
    unlimited = limits()
    for _ in range(3):
        await unlimited.count_user(1)
        await unlimited.count_address("192.0.2.1")
        await unlimited.count_address(None)


async def test_each_user_has_a_count() -> None:
    counted = limits(rate_limit_per_user="2/year")
    for user in (1, 2, "bob@example.com", 1, 2, "bob@example.com"):
        await counted.count_user(user)
        await counted.count_address("192.0.2.1")
    for user in (1, "bob@example.com"):
        with pytest.raises(ApiError) as refused:
            await counted.count_user(user)
        seconds = refused.value.extensions["retryAfter"]
        assert refused.value.code is Code.RATE_LIMITED
        assert 60 < seconds < 2 * 366 * 24 * 3600  # those of this user, who has to wait
        told = f"Too many requests: the limit is 2 per 1 year per user. Try again in {seconds} seconds."
        assert refused.value.message == told


async def test_each_address_has_a_count() -> None:
    counted = limits(rate_limit_per_address="1/hour")
    for address in ("192.0.2.1", "192.0.2.2", "a proxy that sends no address", "2001:db8:0:1::1", "2001:db8:0:2::1"):
        await counted.count_address(address)
        await counted.count_user(1)
        await counted.count_address(None)
        with pytest.raises(ApiError, match="per address"):
            await counted.count_address(address)


@pytest.mark.parametrize("other", ["2001:db8:0:1::2", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:0db8::1:0:0:0:1"])
async def test_one_network_of_ipv6_is_one_client(other: str) -> None:
    counted = limits(rate_limit_per_address="1/hour")
    await counted.count_address("2001:db8:0:1::1")
    with pytest.raises(ApiError):
        await counted.count_address(other)
