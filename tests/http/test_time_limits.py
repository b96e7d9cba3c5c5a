"""A time limit stops an operation that takes too long, and changes nothing else."""

import asyncio

import pytest

from app.errors import ApiError, Code
from app.http.time_limits import time_limit


@pytest.fixture(params=[1.0, 0.005], ids=["with a timer at once", "with a timer later"], autouse=True)
def look_seconds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.http.time_limits.LOOK_SECONDS", request.param)


async def test_an_operation_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(ApiError) as stopped:
        async with time_limit(0.02):
            await asyncio.sleep(30)
    assert stopped.value.code is Code.TIMEOUT
    assert "after 0.02 seconds" in stopped.value.message
    await asyncio.sleep(0)  # the task itself goes on, not cancelled


@pytest.mark.parametrize("seconds", [0.02, None])
async def test_an_operation_that_ends_in_time_is_left_alone(seconds: float | None) -> None:
    async with time_limit(seconds):
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)


async def test_a_short_limit_inside_a_long_one() -> None:
    async with time_limit(30):
        with pytest.raises(ApiError, match=r"after 0\.02 seconds"):
            async with time_limit(0.02):
                await asyncio.sleep(30)
        await asyncio.sleep(0.03)


async def test_a_short_limit_around_a_long_one() -> None:
    with pytest.raises(ApiError, match=r"after 0\.02 seconds"):
        async with time_limit(0.02), time_limit(30):
            await asyncio.sleep(30)


async def test_a_cancelled_operation_stays_cancelled() -> None:
    async def work() -> None:
        async with time_limit(30):
            await asyncio.sleep(30)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("failure", [ValueError("mine"), TimeoutError("mine")])
async def test_other_failures_pass_through(failure: Exception) -> None:
    with pytest.raises(type(failure), match="mine"):
        async with time_limit(30):
            raise failure


async def test_each_of_many_limits_ends_in_its_time() -> None:
    async def stopped_after(seconds: float) -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(ApiError):
            async with time_limit(seconds):
                await asyncio.sleep(30)
        return asyncio.get_running_loop().time() - began

    limits = [0.02 + number / 100 for number in range(20)]
    async with time_limit(30):
        took = await asyncio.gather(*map(stopped_after, limits))
    assert all(limit - 0.005 < each < limit + 0.5 for limit, each in zip(limits, took, strict=True))
