"""The read pool: PostgreSQL connections that stay checked out between reads, which asyncpg runs directly.

Checking a connection out of SQLAlchemy's pool and back in takes as long as a short read. An `asyncpg.Pool` is no way
out: a planned page took 427 µs of CPU time with one and takes 368 µs with this pool (26 November 2026), and the same
database would have two pools, each with its own limits and settings.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import QueuePool
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util.concurrency import greenlet_spawn


class ReadPool:
    """Runs reads on half of the connections of an engine's pool, one read per connection at a time.

    Reads queue for these connections even while others are free: with one connection for each of many simultaneous
    reads, PostgreSQL answers some of them a hundred times later than the rest.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        pool = engine.sync_engine.pool
        assert isinstance(pool, QueuePool)
        self._pool, self._size = pool, pool.size() // 2
        self._turns = asyncio.Semaphore(max(1, self._size))
        self._idle: list[PoolProxiedConnection] = []
        self._driver_error = engine.dialect.loaded_dbapi.Error

    @property
    def idle(self) -> int:
        """The number of connections that are checked out of the engine's pool but not in use."""
        return len(self._idle)

    async def fetch(self, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        """Return the rows as asyncpg has them. Raise PoolTimeout if no connection comes free in time."""
        await self._wait_for_turn()
        try:
            connection = await self._checkout()
            try:
                driver: Any = connection.driver_connection
                rows: Sequence[Any] = await driver.fetch(statement, *values)
            except BaseException:
                connection.invalidate()  # the server's response may still be on its way
                raise

            if len(self._idle) < self._size:
                self._idle.append(connection)
            else:  # a pool of one connection shares it with the engine's other users
                await greenlet_spawn(connection.close)
            return rows
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Check all idle connections in."""
        while self._idle:
            await greenlet_spawn(self._idle.pop().close)

    async def _wait_for_turn(self) -> None:
        if not self._turns.locked():  # the usual case, without a timer
            await self._turns.acquire()
            return
        seconds = self._pool.timeout()
        try:
            async with asyncio.timeout(seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise PoolTimeout(f"no connection came free within {seconds:g} seconds") from None

    async def _checkout(self) -> PoolProxiedConnection:
        while self._idle:
            connection = self._idle.pop()
            if is_open(connection):
                return connection
            connection.invalidate()
        try:
            return await greenlet_spawn(self._pool.connect)
        except self._driver_error as error:
            raise error.__cause__ or error from None  # the error of asyncpg itself, as from `driver.fetch`


def is_open(connection: Any) -> bool:
    """Whether the server has not closed the connection. asyncpg knows; pool_pre_ping would take three round trips."""
    return not connection.driver_connection.is_closed()
