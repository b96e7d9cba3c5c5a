"""Planned reads share half of the pool's connections, and take turns on them."""

import asyncio

import pytest

from app.db.engine import Database, Limits, connect
from app.errors import ApiError

WHO = "SELECT pg_backend_pid() FROM pg_sleep($1)"


async def who(database: Database, seconds: float = 0.01) -> int:
    """The connection that a read of so many seconds ran on."""
    pid: int = (await database.fetch(WHO, [seconds]))[0][0]
    return pid


@pytest.mark.parametrize(("pool_size", "most"), [(6, 3), (1, 1)])
async def test_many_reads_at_once_share_half_of_the_pool(database_url: str, pool_size: int, most: int) -> None:
    database = connect(database_url, Limits(pool_size=pool_size))
    if database.is_postgresql:
        assert len(set(await asyncio.gather(*(who(database) for _ in range(20))))) == most
        async with database.read() as session:
            await session.connection()
    await database.close()


async def test_a_read_whose_turn_does_not_come_in_time_is_refused(database_url: str) -> None:
    database = connect(database_url, Limits(pool_size=2, pool_seconds=0.1))
    if database.is_postgresql:
        slow = asyncio.create_task(who(database, 0.5))
        await asyncio.sleep(0.05)
        with pytest.raises(ApiError) as error:
            await who(database)
        assert error.value.code == "UNAVAILABLE"
        await slow
        await who(database)
    await database.close()
