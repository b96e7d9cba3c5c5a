"""Connections that are handed on from one read to the next, without the pool's checking out and in.

That takes the pool 35 to 60 µs, as much as such a read. And reads take turns: of many at once, all over connections of
their own, PostgreSQL leaves some lying for a hundred times as long as the others.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import QueuePool
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util.concurrency import greenlet_spawn


class Lanes:
    """Reads by asyncpg alone, over half of the connections of an engine's pool, which it keeps to itself."""

    def __init__(self, engine: AsyncEngine) -> None:
        pool = engine.sync_engine.pool
        assert isinstance(pool, QueuePool)
        self._pool, self._kept = pool, pool.size() // 2
        self._failure = engine.dialect.loaded_dbapi.Error
        self._turns = asyncio.Semaphore(max(1, self._kept))
        self._idle: list[PoolProxiedConnection] = []

    @property
    def idle(self) -> int:
        """Connections that are checked out of the pool, and not in use."""
        return len(self._idle)

    async def fetch(self, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        """The rows, as asyncpg has them. PoolTimeout where none of the connections comes free in time."""
        await self._wait()
        try:
            lane = await self._take()
            try:
                driver: Any = lane.driver_connection
                rows: Sequence[Any] = await driver.fetch(statement, *values)
            except BaseException:
                lane.invalidate()  # its answer may be still on the way
                raise
            await self._leave(lane)
            return rows
        finally:
            self._turns.release()

    async def close(self) -> None:
        while self._idle:
            await greenlet_spawn(self._idle.pop().close)

    async def _wait(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        seconds = self._pool.timeout()
        try:
            async with asyncio.timeout(seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise PoolTimeout(f"no connection came free within {seconds:g} seconds") from None

    async def _take(self) -> PoolProxiedConnection:
        while self._idle:
            lane = self._idle.pop()
            if is_open(lane):
                return lane
            lane.invalidate()
        try:
            return await greenlet_spawn(self._pool.connect)
        except self._failure as error:
            raise error.__cause__ or error from None  # as asyncpg has it: nothing wraps what the pool raises

    async def _leave(self, lane: PoolProxiedConnection) -> None:
        if len(self._idle) < self._kept:
            self._idle.append(lane)
        else:
            await greenlet_spawn(lane.close)


def is_open(connection: Any) -> bool:
    """Whether the server has not ended it: asyncpg hears of that at once. Asking (pool_pre_ping) is 3 round trips."""
    return not connection.driver_connection.is_closed()
