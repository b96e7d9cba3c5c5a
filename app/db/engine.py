"""The database: one engine for reads, one for writes, and short sessions of each.

Reads run in autocommit, so that no read holds a transaction open. Each write is one transaction. On SQLite, all writers
of a process share one connection and start with BEGIN IMMEDIATE: a transaction that reads first and writes later would
otherwise fail, instead of waiting, if another one has written in between.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.pool import QueuePool
from sqlmodel.ext.asyncio.session import AsyncSession

from app.config import Settings
from app.db import postgresql, sqlite
from app.db.change_feed import Announce, Change, take_changes
from app.db.driver_errors import DRIVER_ERRORS, TransactionConflict, translate_errors
from app.db.limits import Limits
from app.db.read_pool import ReadPool, StoppedError
from app.db.sqlite_reads import SQLiteReads
from app.observability import metrics, requests, tracing

logger = logging.getLogger(__name__)

T = TypeVar("T")

HAS_WEBHOOK = "has_webhook"
"""Key of a session's `info`: whether commands write events for a webhook."""

UNCLAIMED_MINUTES = "unclaimed_minutes"
"""Key of a session's `info`: how many minutes the last step of a lead waits after its last offer."""

MOST_RUNS = 6
"""How often a transaction is run that fails because of simultaneous ones."""

CONFLICT_SECONDS = 0.01
"""Half of the longest pause before the second run, which doubles with each further run."""


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a process. `close` it at the end."""

    read_engine: AsyncEngine
    write_engine: AsyncEngine
    _reads: async_sessionmaker[AsyncSession]
    _writes: async_sessionmaker[AsyncSession]
    _read_pool: ReadPool | SQLiteReads
    _announce: Announce | None

    @property
    def is_postgresql(self) -> bool:
        return self.write_engine.dialect.name == "postgresql"

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a session for one read. Fields that resolve at the same time must not share one.

        Raises ApiError TIMEOUT or UNAVAILABLE, as do `fetch` and `write`.
        """
        with translate_errors(*DRIVER_ERRORS):
            async with requests.current().reading, self._reads() as session:
                yield session

    async def read_page(self, table: str, read: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Return what `read` reads from a table with a filter of the client's.

        If that takes long, it is stopped and runs again as a slow read; see app/db/read_pool.py.
        """

        async def run(seconds: float | None) -> T:
            try:
                async with asyncio.timeout(seconds) as timeout, self.read() as session:
                    return await read(session)
            except TimeoutError as error:
                if not timeout.expired():
                    raise
                raise StoppedError from error

        async def is_expensive() -> bool:
            return False  # its cost is unknown

        if isinstance(self._read_pool, ReadPool):
            return await self._read_pool.quick_or_slow(table, run, is_expensive)
        return await run(None)

    async def fetch(self, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        """Return the rows of a read statement in the driver's SQL, with the driver's types."""
        with translate_errors(*DRIVER_ERRORS, OSError):
            request = requests.current()
            request.statements += 1
            async with request.reading:
                return await self._read_pool.fetch(statement, values)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Open a session in a transaction, which is committed at the end and rolled back on any exception.

        Use `in_transaction` for transactions that run beside others: this one is not run again after a conflict.
        """
        changes: Sequence[Change] = ()
        with translate_errors(*DRIVER_ERRORS):
            async with self._writes() as session:
                async with session.begin():
                    yield session
                    if self._announce and not self.is_postgresql:
                        await session.flush()
                        connection = await (await session.connection()).get_raw_connection()
                        changes = await take_changes(connection.driver_connection)
                if self._announce and changes:
                    self._announce(changes)
                metrics.run_after_commit(session)

    async def in_transaction(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run `work` in a transaction and return its result, of a later run if earlier ones failed by a conflict.

        Each run starts anew: `work` must not keep what an earlier run has read. Raises the TransactionConflict of the
        last run, which is an UNAVAILABLE.
        """
        for run in range(1, MOST_RUNS):
            try:
                async with self.write() as session:
                    return await work(session)
            except TransactionConflict as conflict:
                logger.warning("Run %d of a transaction failed and it is run again: %s", run, conflict.reason)
                await asyncio.sleep(random.random() * CONFLICT_SECONDS * 2**run)  # noqa: S311  no secret
        async with self.write() as session:
            return await work(session)

    async def close(self) -> None:
        await self._read_pool.close()
        await self.read_engine.dispose()
        await self.write_engine.dispose()


def connect_as_configured(settings: Settings, limits: Limits = Limits(), announce: Announce | None = None) -> Database:
    """Return the database of the settings, for commands that follow them. See `connect`."""
    return connect(
        settings.database_url,
        limits,
        announce,
        has_webhook=settings.has_webhook,
        unclaimed_minutes=settings.unclaimed_minutes,
    )


def connect(
    url: str,
    limits: Limits = Limits(),
    announce: Announce | None = None,
    *,
    has_webhook: bool = False,
    unclaimed_minutes: int = 60,
) -> Database:
    """Return the database at a URL, `sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`. The first use connects.

    On SQLite, `announce` receives the offers and leads that each `write` has changed; on PostgreSQL,
    app/db/listener.py does. With `has_webhook`, commands write events for a webhook. The last step of a lead waits
    `unclaimed_minutes` after its last offer.
    """
    parsed = make_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    make_engine = sqlite.make_engine if is_sqlite else postgresql.make_engine
    read, write = make_engine(url, limits, writes=False), make_engine(url, limits, writes=True)
    if is_sqlite:
        file = parsed.database or ":memory:"
        read_pool: ReadPool | SQLiteReads = SQLiteReads(
            file, sqlite.BUSY_SECONDS, sqlite.PRAGMAS, limits.statement_seconds
        )
    else:
        read_pool = ReadPool(read, limits.statement_seconds)
    _count(read, "read", lambda: read_pool.idle)
    _count(write, "write")
    if (recorder := tracing.recorder()) is not None:
        from app.db.statement_spans import record_statements  # noqa: PLC0415  it imports OpenTelemetry

        for engine in (read, write):
            record_statements(engine, recorder)
    info = {HAS_WEBHOOK: has_webhook, UNCLAIMED_MINUTES: unclaimed_minutes}
    database = Database(read, write, _sessions(read, info), _sessions(write, info), read_pool, announce)
    if announce and not database.is_postgresql:
        sqlite.watch_changes(write)
    return database


def _sessions(engine: AsyncEngine, info: dict[str, Any]) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False, autoflush=False, info=info)


def _count(engine: AsyncEngine, name: str, idle: Callable[[], int] = lambda: 0) -> None:
    """Count the statements of each request, and the connections in use: those checked out that are not `idle`."""

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def statement(*_details: Any) -> None:
        requests.current().statements += 1

    in_use, pool = metrics.POOL.labels(name), cast(QueuePool, engine.sync_engine.pool)
    metrics.POOL_LIMIT.labels(name).set(pool.size())
    event.listen(pool, "checkout", lambda *_connection: in_use.set(pool.checkedout() - idle()))
    event.listen(pool, "checkin", lambda *_connection: in_use.set(pool.checkedout() - 1 - idle()))
