"""One connection of this process that listens to a channel of PostgreSQL, and comes back when it is lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from app.db.driver_errors import DRIVER_ERRORS

logger = logging.getLogger(__name__)

LOOK_SECONDS = 20.0
"""How often a silent connection is asked whether it still lives, and how long it may take to say so."""
LONGEST_PAUSE = 5.0
"""Seconds between two attempts to connect."""


class Listener:
    """Tells `heard` what is committed, and `missed` that something may have been: a connection was lost.

    `url` must lead to the server itself: behind a pooler that shares connections nothing is heard.
    """

    def __init__(self, url: str, channel: str, heard: Callable[[str], None], missed: Callable[[], None]) -> None:
        self._engine = create_async_engine(url, poolclass=NullPool)
        self._channel = channel
        self._heard = heard
        self._missed = missed
        self.listening = asyncio.Event()
        """Whether whatever is committed from now on will be heard."""

    async def run(self) -> None:
        """Listens until it is cancelled."""
        pause, was_listening = 0.1, False
        while True:
            try:
                async with self._connected() as (connection, closed):
                    if was_listening:
                        self._missed()
                    pause, was_listening = 0.1, True
                    self.listening.set()
                    await _lives(connection, closed)
            except (*DRIVER_ERRORS, OSError):
                logger.warning("Not listening to PostgreSQL; trying again", exc_info=True)
            finally:
                self.listening.clear()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Any, asyncio.Event]]:
        closed = asyncio.Event()
        async with asyncio.timeout(LOOK_SECONDS):
            pooled = await self._engine.connect()
        driver: Any = (await pooled.get_raw_connection()).driver_connection
        try:
            driver.add_termination_listener(lambda _connection: closed.set())
            async with asyncio.timeout(LOOK_SECONDS):
                await driver.add_listener(self._channel, self._hear)
            yield driver, closed
        finally:
            driver.terminate()
            await pooled.invalidate()
            await pooled.close()

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        self._heard(payload)


async def _lives(connection: Any, closed: asyncio.Event) -> None:
    """Returns when the connection is lost. A network that swallows everything is found out by asking."""
    while not closed.is_set():
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await closed.wait()
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=LOOK_SECONDS)
