"""PostgreSQL tells of new work as soon as it is committed."""

import asyncio
import logging
from typing import Any

from sqlalchemy.exc import DBAPIError

from app.db import Database

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0


async def listen(db: Database, wake: asyncio.Event) -> None:
    """Sets the event at every notification, and whenever some may have been missed. Goes on until it is cancelled."""
    while True:
        try:
            await _listen(db, wake)
        except (DBAPIError, OSError) as error:
            logger.warning("Cannot listen for new work: %s", type(error).__name__)
        await asyncio.sleep(AGAIN_SECONDS)


async def _listen(db: Database, wake: asyncio.Event) -> None:
    """Until the connection ends."""
    ended = asyncio.Event()
    async with db.read_engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_termination_listener(lambda _connection: ended.set())
        await driver.add_listener("lead_offers_work", lambda *_: wake.set())
        wake.set()
        try:
            await ended.wait()
        finally:
            await connection.invalidate()
