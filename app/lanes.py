"""Connections that are handed on from one read to the next, without the pool's checking out and in.

That takes the pool 35 to 60 µs, as much as such a read.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import QueuePool
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util.concurrency import greenlet_spawn


class Lanes:
    """Reads by asyncpg alone, over connections of an engine's pool, of which it keeps half at most to itself."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._idle: list[PoolProxiedConnection] = []

    @property
    def idle(self) -> int:
        """Connections that are checked out of the pool, and not in use."""
        return len(self._idle)

    async def fetch(self, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        lane = await self._take()
        try:
            driver: Any = lane.driver_connection
            rows: Sequence[Any] = await driver.fetch(statement, *values)
        except BaseException:
            lane.invalidate()  # its answer may be still on the way
            raise
        await self._leave(lane)
        return rows

    async def close(self) -> None:
        while self._idle:
            await greenlet_spawn(self._idle.pop().close)

    async def _take(self) -> PoolProxiedConnection:
        while self._idle:
            lane = self._idle.pop()
            if is_open(lane):
                return lane
            lane.invalidate()
        return await greenlet_spawn(self._engine.sync_engine.pool.connect)

    async def _leave(self, lane: PoolProxiedConnection) -> None:
        pool = self._engine.sync_engine.pool
        assert isinstance(pool, QueuePool)
        if len(self._idle) < pool.size() // 2:
            self._idle.append(lane)
        else:
            await greenlet_spawn(lane.close)


def is_open(connection: Any) -> bool:
    """Whether the server has not ended it: asyncpg hears of that at once. Asking (pool_pre_ping) is 3 round trips."""
    return not connection.driver_connection.is_closed()
