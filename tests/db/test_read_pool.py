"""The read pool uses half of the engine's connections, and reads queue for them."""

import asyncio

import pytest

from app.db.engine import Database, Limits, connect
from app.errors import ApiError

BACKEND = "SELECT pg_backend_pid() FROM pg_sleep($1)"


async def backend_of_read(database: Database, seconds: float = 0.01) -> int:
    """The process id of the server's side of the connection on which a read of so many seconds ran."""
    pid: int = (await database.fetch(BACKEND, [seconds]))[0][0]
    return pid


@pytest.mark.parametrize(("pool_size", "most"), [(6, 3), (1, 1)])
async def test_simultaneous_reads_share_half_of_the_pool(database_url: str, pool_size: int, most: int) -> None:
    database = connect(database_url, Limits(pool_size=pool_size))
    if database.is_postgresql:
        assert len(set(await asyncio.gather(*(backend_of_read(database) for _ in range(20))))) == most
        async with database.read() as session:
            await session.connection()
    await database.close()


async def test_a_read_that_waits_too_long_for_a_connection_is_refused(database_url: str) -> None:
    database = connect(database_url, Limits(pool_size=2, pool_seconds=0.1))
    if database.is_postgresql:
        slow = asyncio.create_task(backend_of_read(database, 0.5))
        await asyncio.sleep(0.05)
        with pytest.raises(ApiError) as error:
            await backend_of_read(database)
        assert error.value.code == "UNAVAILABLE"
        await slow
        await backend_of_read(database)
    await database.close()
