"""The read pool: PostgreSQL connections that stay checked out between reads, which asyncpg runs directly.

Checking a connection out of SQLAlchemy's pool and back in takes as long as a short read. An `asyncpg.Pool` is no way
out: a planned page took 427 µs of CPU time with one and takes 368 µs with this pool (26 November 2026), and the same
database would have two pools, each with its own limits and settings.

Filters and sorts that no index serves can take as long as the time limit of a statement. So that nobody else waits for
them, a read that takes longer than QUICK_SECONDS is stopped, and runs again as a slow read: slow reads wait for each
other, and use no more than a quarter of the connections. A read that the planner holds to be cheap took long because
the machine is busy; it gets more time before it counts as slow. A reader whose statement was slow is remembered for a
minute, and the same statement is then slow from the start.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import Any, TypeVar

from asyncpg import QueryCanceledError
from cachetools import TTLCache
from sqlalchemy import QueuePool
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util.concurrency import greenlet_spawn

from app.errors import ApiError, Code
from app.observability import requests

T = TypeVar("T")

QUICK_SECONDS = 0.5
"""How long a read may take before it counts as slow. A page of offers takes about a millisecond."""
SECOND_TRY_SECONDS = 2.0
"""How long a read that the planner holds to be cheap may take when it runs again."""
EXPENSIVE = 50_000
"""The planner's cost from which on a read that was stopped counts as slow: about half a second of one processor."""
REMEMBER_SECONDS = 60.0
"""How long a slow statement of a reader is remembered."""
REMEMBERED = 10_000
"""Slow statements that are remembered."""
CANCEL_SECONDS = 2.0
"""How long PostgreSQL may take to stop a statement before its connection counts as lost."""


class StoppedError(QueryCanceledError):  # type: ignore[misc]  # asyncpg has no types
    """The server has stopped the statement, as the pool told it to."""


class ReadPool:
    """Runs reads on half of the connections of an engine's pool, one read per connection at a time.

    Reads queue for these connections even while others are free: with one connection for each of many simultaneous
    reads, PostgreSQL answers some of them a hundred times later than the rest.
    """

    def __init__(self, engine: AsyncEngine, slow_wait_seconds: float | None) -> None:
        """`slow_wait_seconds` is how long a slow read waits for its turn; None means without end."""
        pool = engine.sync_engine.pool
        assert isinstance(pool, QueuePool)
        self._pool, self._size = pool, pool.size() // 2
        self._turns = asyncio.Semaphore(max(1, self._size))
        self._slow_turns = asyncio.Semaphore(max(1, self._size // 4))
        self._slow_wait_seconds = slow_wait_seconds
        self._slow: TTLCache[tuple[Any, str], bool] = TTLCache(REMEMBERED, REMEMBER_SECONDS)
        self._slow_readers: TTLCache[Any, bool] = TTLCache(REMEMBERED, REMEMBER_SECONDS)
        self._trying = asyncio.Semaphore(1)
        """Held by new statements of readers who had a slow one: all of them together use one connection to try."""
        self._idle: list[tuple[PoolProxiedConnection, Any]] = []
        """Each with the driver's connection, which SQLAlchemy finds by way of four functions."""
        self._stopping: set[asyncio.Task[bool]] = set()
        self._driver_error = engine.dialect.loaded_dbapi.Error

    @property
    def idle(self) -> int:
        """The number of connections that are checked out of the engine's pool but not in use."""
        return len(self._idle)

    async def fetch(self, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        """Return the rows as asyncpg has them.

        Raises PoolTimeout if no connection comes free in time, or ApiError TIMEOUT if a slow read does not get its
        turn in time.
        """
        run, is_expensive = partial(self._run, statement, values), partial(self._is_expensive, statement, values)
        return await self.quick_or_slow(statement, run, is_expensive)

    async def quick_or_slow(
        self,
        statement: str,
        run: Callable[[float | None], Awaitable[T]],
        is_expensive: Callable[[], Awaitable[bool]],
    ) -> T:
        """Return the result of a read: `run`, which raises StoppedError if it takes longer than the seconds given.

        Whether the reader's same `statement` was slow is remembered. Raises TIMEOUT as `fetch`.
        """
        reader = requests.current().reader
        was_slow = reader in self._slow_readers
        if not was_slow or (reader, statement) not in self._slow:
            async with self._trying if was_slow else nullcontext():
                with suppress(StoppedError):
                    return await run(QUICK_SECONDS)
                if not await is_expensive():
                    with suppress(StoppedError):
                        return await run(SECOND_TRY_SECONDS)
            self._remember(reader, statement)
        async with self._slow_turn():
            started = asyncio.get_running_loop().time()
            try:
                return await run(None)
            finally:
                if asyncio.get_running_loop().time() - started > QUICK_SECONDS:
                    self._remember(reader, statement)

    async def close(self) -> None:
        """Check all idle connections in."""
        for task in self._stopping:
            task.cancel()
        await asyncio.gather(*self._stopping, return_exceptions=True)
        while self._idle:
            connection, _driver = self._idle.pop()
            await greenlet_spawn(connection.close)

    def _remember(self, reader: object, statement: str) -> None:
        self._slow_readers[reader] = self._slow[reader, statement] = True

    @asynccontextmanager
    async def _slow_turn(self) -> AsyncIterator[None]:
        """Wait for the turn of a slow read. Raise TIMEOUT if it does not come in time."""
        seconds = self._slow_wait_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._slow_turns.acquire()
        except TimeoutError as error:
            message = (
                f"The database needs more than {QUICK_SECONDS:g} seconds for this. Such requests wait for each other, "
                f"and this one did not get its turn within {seconds:g} seconds. Request less data at once, or try "
                "again later."
            )
            raise ApiError(Code.TIMEOUT, message) from error
        try:
            yield
        finally:
            self._slow_turns.release()

    async def _run(self, statement: str, values: Sequence[Any], seconds: float | None) -> Sequence[Any]:
        """Run the statement when its turn comes. Raise StoppedError if it takes longer than `seconds`.

        Raises TimeoutError if the server does not respond.
        """
        await self._wait_for_turn()
        try:
            connection, driver = self._checkout_idle() or await self._checkout()
        except BaseException:
            self._turns.release()
            raise

        try:
            rows: Sequence[Any] = await driver.fetch(statement, *values, timeout=seconds)
        except (TimeoutError, asyncio.CancelledError) as error:
            stopping = self._stop(connection, driver)
            if isinstance(error, TimeoutError) and await asyncio.shield(stopping):
                raise StoppedError from None
            raise
        except BaseException:
            connection.invalidate()  # the server's response may still be on its way
            self._turns.release()
            raise
        try:
            await self._give_back(connection, driver)
        finally:
            self._turns.release()
        return rows

    async def _is_expensive(self, statement: str, values: Sequence[Any]) -> bool:
        """Whether the planner expects the statement to take long with these values."""
        try:
            rows = await self._run(f"EXPLAIN (FORMAT JSON) {statement}", values, CANCEL_SECONDS)
        except StoppedError:
            return True
        cost: float = rows[0][0][0]["Plan"]["Total Cost"]
        return cost >= EXPENSIVE

    def _stop(self, connection: PoolProxiedConnection, driver: Any) -> "asyncio.Task[bool]":
        """Return a task that waits until the server has stopped a statement, and keeps the turn until then.

        asyncpg has begun to cancel it. If the connection were closed now, the server would run the statement to its
        end, beside those of the pool. The task's result is whether the server has responded.
        """

        async def stopped() -> bool:
            try:
                async with asyncio.timeout(CANCEL_SECONDS):
                    await driver.execute("SELECT 1")  # waits for the cancellation first
                await self._give_back(connection, driver)
            except BaseException as error:
                connection.invalidate()
                if not isinstance(error, Exception):
                    raise
                return False
            finally:
                self._turns.release()
            return True

        task = asyncio.create_task(stopped())
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        return task

    async def _give_back(self, connection: PoolProxiedConnection, driver: Any) -> None:
        if len(self._idle) < self._size:
            self._idle.append((connection, driver))
        else:  # a pool of one connection shares it with the engine's other users
            await greenlet_spawn(connection.close)

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

    def _checkout_idle(self) -> tuple[PoolProxiedConnection, Any] | None:
        while self._idle:
            connection, driver = self._idle.pop()
            if is_open(driver):
                return connection, driver
            connection.invalidate()
        return None

    async def _checkout(self) -> tuple[PoolProxiedConnection, Any]:
        try:
            connection = await greenlet_spawn(self._pool.connect)
            return connection, connection.driver_connection
        except self._driver_error as error:
            raise error.__cause__ or error from None  # the error of asyncpg itself, as from `driver.fetch`


def is_open(driver: Any) -> bool:
    """Whether the server has not closed a driver's connection. asyncpg knows; pool_pre_ping takes three round trips."""
    return not driver.is_closed()
