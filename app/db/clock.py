"""The database's clock. All processes tell by it what is due and which leases have ended.

The clocks of two machines may differ by minutes. If each worker went by its own, one of them would take the leases of
the other for ended and send the same messages.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy import func
from sqlmodel import select

from app.db.engine import Database
from app.domain.timestamps import utc_now
from app.errors import ApiError

logger = logging.getLogger(__name__)

MEASURE_EVERY = 10.0
"""The shortest time between two measurements, in seconds."""

WORTH_A_WARNING = timedelta(seconds=1)
"""A smaller difference is not logged, nor a change of the difference that is smaller."""


@dataclass
class DatabaseClock:
    """Returns the database's time: the time of the local clock, corrected by the difference measured last.

    A SQLite database has no clock of its own: its processes share a machine and the local clock.
    """

    db: Database
    local: Callable[[], datetime] = utc_now
    _ahead: timedelta = field(default=timedelta(), init=False)
    """How far the local clock is ahead of the database's."""
    _measured_at: float | None = field(default=None, init=False)

    def __call__(self) -> datetime:
        return self.local() - self._ahead

    async def follow(self) -> None:
        """Measure the difference again and again, whenever the database is there. Ends only by being cancelled."""
        while True:
            with suppress(ApiError):
                await self.synchronize()
            await asyncio.sleep(MEASURE_EVERY)

    async def synchronize(self) -> None:
        """Measure the difference, unless that was done within MEASURE_EVERY. Raises UNAVAILABLE.

        The result is wrong by at most half of the time that the statement takes.
        """
        is_recent = self._measured_at is not None and monotonic() - self._measured_at < MEASURE_EVERY
        if is_recent or not self.db.is_postgresql:
            return
        async with self.db.read() as session:
            await session.connection()  # so that connecting does not count
            sent = self.local()
            there: datetime = (await session.exec(select(func.clock_timestamp()))).one()
            received = self.local()
        self._measured_at = monotonic()
        before, ahead = self._ahead, sent + (received - sent) / 2 - there
        self._ahead = timedelta(milliseconds=round(ahead.total_seconds() * 1_000))
        if abs(self._ahead - before) >= WORTH_A_WARNING:
            logger.warning(
                "The clock of this machine is %+.1f s ahead of the database's, which is used instead",
                self._ahead.total_seconds(),
            )
