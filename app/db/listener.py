"""Listens to notification channels of PostgreSQL, and reconnects when the connection is lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import NullPool, event
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import create_async_engine

from app.db.driver_errors import DRIVER_ERRORS
from app.db.hosts import connect_to_a_host

logger = logging.getLogger(__name__)

CHECK_SECONDS = 20.0
"""How often an idle connection is checked, and how long it may take to respond."""

LONGEST_PAUSE = 5.0
"""The maximum time between two attempts to connect, in seconds."""


class Listener:
    """Calls a channel's function with the payload of each notification.

    It calls `began` whenever it begins to listen, also after it lost its connection: earlier notifications may be lost.

    `url` must lead to the server itself. LISTEN does not work behind a pooler that shares connections.
    """

    def __init__(self, url: str, heard: Mapping[str, Callable[[str], None]], began: Callable[[], None]) -> None:
        self._engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": CHECK_SECONDS})
        event.listen(self._engine.sync_engine, "do_connect", _connect)
        self._heard = heard
        self._began = began
        self.listening = asyncio.Event()
        """Set while notifications are received."""

    async def run(self) -> None:
        """Listen until the task is cancelled."""
        pause = 0.1
        while True:
            try:
                async with self._connected() as (connection, closed):
                    pause = 0.1
                    self._began()
                    self.listening.set()
                    await _until_lost(connection, closed)
            except (*DRIVER_ERRORS, OSError):
                logger.warning("Lost the connection that listens to PostgreSQL; reconnecting", exc_info=True)
            finally:
                self.listening.clear()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Any, asyncio.Event]]:
        closed = asyncio.Event()
        async with asyncio.timeout(CHECK_SECONDS):
            pooled = await self._engine.connect()
        driver: Any = (await pooled.get_raw_connection()).driver_connection
        try:
            driver.add_termination_listener(lambda _connection: closed.set())
            async with asyncio.timeout(CHECK_SECONDS):
                for channel in self._heard:
                    await driver.add_listener(channel, self._hear)
            yield driver, closed
        finally:
            driver.terminate()
            await pooled.invalidate()
            await pooled.close()

    def _hear(self, _connection: Any, _pid: int, channel: str, payload: str) -> None:
        self._heard[channel](payload)


def _connect(dialect: Dialect, _record: object, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return connect_to_a_host(dialect, arguments, options)


async def _until_lost(connection: Any, closed: asyncio.Event) -> None:
    """Return when the connection is lost. A query from time to time detects a network that drops all packets."""
    while not closed.is_set():
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await closed.wait()
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=CHECK_SECONDS)
