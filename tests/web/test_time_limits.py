"""Time limits end what takes too long, and leave everything else alone."""

import asyncio

import pytest

from app.web import time_limits
from app.web.time_limits import TimeLimit


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limits, "LOOK_SECONDS", 0.01)


async def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(TimeoutError), TimeLimit(0.02) as limit:
        await asyncio.sleep(30)
    assert limit.expired
    await asyncio.sleep(0)  # the task goes on, not cancelled


async def test_what_ends_in_time_is_left_alone() -> None:
    with TimeLimit(0.02) as limit:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert not limit.expired


async def test_a_short_limit_is_kept_beside_a_long_one() -> None:
    with TimeLimit(30) as outer:
        with pytest.raises(TimeoutError), TimeLimit(0.02):
            await asyncio.sleep(30)
        await asyncio.sleep(0.03)
    assert not outer.expired


async def test_of_two_limits_the_outer_one_goes_through_the_inner() -> None:
    with pytest.raises(TimeoutError), TimeLimit(0.02) as outer, TimeLimit(30) as inner:
        await asyncio.sleep(30)
    assert (outer.expired, inner.expired) == (True, False)


async def test_who_is_cancelled_from_outside_stays_cancelled() -> None:
    async def work() -> None:
        with TimeLimit(30):
            await asyncio.sleep(30)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_another_failure_is_told_as_it_is() -> None:
    with pytest.raises(ValueError, match="mine"), TimeLimit(30):
        raise ValueError("mine")


async def test_nothing_looks_where_nothing_is_under_way() -> None:
    with TimeLimit(30):
        pass
    await asyncio.sleep(0.05)
    assert not time_limits._watches[asyncio.get_running_loop()].looking
