"""The database: one engine for reads, one for writes, and short sessions of each.

Reads run in autocommit, so that no read holds a transaction open. Each write is one transaction. On SQLite, all writers
of a process share one connection and start with BEGIN IMMEDIATE: a transaction that reads first and writes later would
otherwise fail, instead of waiting, if another one has written in between.
"""

import asyncio
import logging
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar, cast

import orjson
from sqlalchemy import event
from sqlalchemy.engine import Connection, Dialect, ExceptionContext, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.pool import QueuePool
from sqlmodel.ext.asyncio.session import AsyncSession

from app.config import Settings, shares_connections
from app.db.change_feed import WATCH_ON_SQLITE, Announce, Change, take_changes
from app.db.driver_errors import DRIVER_ERRORS, TransactionConflict, is_broken, to_api_error, translate_errors
from app.db.functions import SQLITE_FUNCTIONS
from app.db.hosts import connect_to_a_host
from app.db.pooler import require_own_session
from app.db.read_pool import ReadPool, StoppedError, is_open
from app.db.sqlite_reads import STEPS_PER_CHECK, SQLiteReads
from app.errors import ApiError
from app.observability import metrics, requests, tracing

logger = logging.getLogger(__name__)

T = TypeVar("T")

HAS_WEBHOOK = "has_webhook"
"""Key of a session's `info`: whether commands write events for a webhook."""

UNCLAIMED_MINUTES = "unclaimed_minutes"
"""Key of a session's `info`: how many minutes the last step of a lead waits after its last offer."""

SQLITE_BUSY_SECONDS = 30
"""How long a statement waits for another process that writes."""

SQLITE_PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON")

GRACE_SECONDS = 2.0
"""How long after the time limit of a statement a PostgreSQL that has not cancelled it counts as lost."""

MOST_RUNS = 6
"""How often a transaction is run that fails because of simultaneous ones."""

CONFLICT_SECONDS = 0.01
"""Half of the longest pause before the second run, which doubles with each further run."""

PLANNING_READS = {
    "plan_cache_mode": "force_generic_plan",
    "random_page_cost": "1.1",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "max_parallel_workers_per_gather": "0",
}
"""Settings of read connections. Each statement is planned once for all values, as planning a page of offers takes
longer than running it. The page cost is that of SSDs: PostgreSQL then prefers an index in the right order. Reads find
few rows of large tables; a hash or merge join would read the rows of all users. A statement runs on one processor: one
that reads much takes longer, but other requests do not wait for it."""

PLANNING_WRITES = {"enable_seqscan": "off"}
"""Settings of write connections. Writes find their few rows by an index; without statistics of a table that has just
grown, PostgreSQL would scan all deliveries for each claim."""

KEEPS_LEDGER = {"lead_offers.keeps_ledger": "on"}
"""A setting of write connections by which a trigger knows that the process writes the ledger of claims itself. Those of
an earlier version do not; see app/db/migrations/versions/0015_claims.py."""


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


@dataclass(frozen=True, slots=True)
class Limits:
    """Size of the connection pools and time limits in seconds. SQLite has only the limit of statements."""

    pool_size: int = 10
    pool_seconds: float = 5.0
    statement_seconds: float | None = None
    """None means no limit."""


def limits_of(settings: Settings) -> Limits:
    """Return the limits in the settings, for servers and workers."""
    return Limits(settings.pool_size, settings.pool_seconds, settings.statement_seconds)


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
    make = _sqlite if is_sqlite else _postgresql
    read, write = make(url, limits, writes=False), make(url, limits, writes=True)
    if is_sqlite:
        file = parsed.database or ":memory:"
        read_pool: ReadPool | SQLiteReads = SQLiteReads(
            file, SQLITE_BUSY_SECONDS, SQLITE_PRAGMAS, limits.statement_seconds
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
        _watch(write)
    return database


def _sessions(engine: AsyncEngine, info: dict[str, Any]) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False, autoflush=False, info=info)


def _postgresql(url: str, limits: Limits, *, writes: bool) -> AsyncEngine:
    shared = shares_connections(url)
    session = PLANNING_WRITES | KEEPS_LEDGER if writes else PLANNING_READS
    driver: dict[str, Any] = {"timeout": limits.pool_seconds}
    if limits.statement_seconds is not None:
        session = {"statement_timeout": str(max(1, int(limits.statement_seconds * 1000))), **session}
        driver["command_timeout"] = limits.statement_seconds + GRACE_SECONDS
    elif shared:
        session = {"statement_timeout": "0", **session}  # not that of the pooler
    if shared:
        driver["statement_cache_size"] = 0
    options: dict[str, Any] = {} if writes else {"isolation_level": "AUTOCOMMIT"}
    engine = create_async_engine(
        url,
        connect_args=driver,
        hide_parameters=True,
        json_serializer=orjson.dumps,
        max_overflow=0,
        pool_size=limits.pool_size,
        pool_timeout=limits.pool_seconds,
        **options,
    )
    _open_connections(engine, None if shared else session)
    if shared and writes:
        _set_for_transactions(engine, session)

    @event.listens_for(engine.sync_engine, "checkout")
    def require_open(connection: Any, *_rest: Any) -> None:
        if not is_open(connection.driver_connection):
            raise DisconnectionError

    @event.listens_for(engine.sync_engine, "handle_error")
    def drop_connection(context: ExceptionContext) -> ApiError | None:
        """Drop a connection that broke or does not respond.

        Its OSError is translated here, because `read` and `write` could not tell it from one of the caller's own.
        """
        if not isinstance(context.original_exception, OSError) and not is_broken(context.original_exception):
            return None
        context.is_disconnect = True
        return to_api_error(context.original_exception)

    return engine


def _open_connections(engine: AsyncEngine, settings: Mapping[str, str] | None) -> None:
    """Set parameters of PostgreSQL on each new connection, and test the first one. None: a pooler shares connections.

    The parameters are not sent as start-up parameters, because poolers refuse most of these.
    """
    statements = "; ".join(f"SET {name} = '{value}'" for name, value in (settings or {}).items())
    is_tested = settings is None

    @event.listens_for(engine.sync_engine, "do_connect")
    def open_connection(dialect: Dialect, _record: object, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        nonlocal is_tested
        with translate_errors(*DRIVER_ERRORS, OSError):
            connection: Any = connect_to_a_host(dialect, arguments, options)
            try:
                if not is_tested:
                    require_own_session(connection, lambda: connect_to_a_host(dialect, arguments, options))
                    is_tested = True
                if statements:
                    connection.run_async(lambda driver: driver.execute(statements))
            except BaseException:
                connection.terminate()
                raise
            return connection


def _set_for_transactions(engine: AsyncEngine, settings: Mapping[str, str]) -> None:
    """Set parameters of PostgreSQL in each transaction, for a pooler that shares its connections.

    Reads run in autocommit and have those of the pooler's `connect_query`; see docs/deploying.md.
    """
    values = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT {values}")


def _count(engine: AsyncEngine, name: str, idle: Callable[[], int] = lambda: 0) -> None:
    """Count the statements of each request, and the connections in use: those checked out that are not `idle`."""

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def statement(*_details: Any) -> None:
        requests.current().statements += 1

    in_use, pool = metrics.POOL.labels(name), cast(QueuePool, engine.sync_engine.pool)
    metrics.POOL_LIMIT.labels(name).set(pool.size())
    event.listen(pool, "checkout", lambda *_connection: in_use.set(pool.checkedout() - idle()))
    event.listen(pool, "checkin", lambda *_connection: in_use.set(pool.checkedout() - 1 - idle()))


class SQLiteConnection(sqlite3.Connection):
    """A connection whose transaction ends when it is closed, as it is after a cancelled statement.

    SQLite keeps a closed connection and its write lock while one of its statements exists. The cursor of a cancelled
    statement exists as long as anything refers to the CancelledError, through the frames of its traceback.
    """

    def close(self) -> None:
        try:
            self.rollback()
        finally:
            super().close()


def _sqlite(url: str, limits: Limits, *, writes: bool) -> AsyncEngine:
    size: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if writes else {"pool_size": 8}
    driver = {"timeout": SQLITE_BUSY_SECONDS, "factory": SQLiteConnection}
    engine = create_async_engine(url, connect_args=driver, hide_parameters=True, **size)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins no transaction of its own
        cursor = connection.cursor()
        for pragma in SQLITE_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        for name, function in SQLITE_FUNCTIONS.items():
            connection.create_function(name, 1, function, deterministic=True)

    if limits.statement_seconds is not None:
        _interrupt_after(engine, limits.statement_seconds)
    if writes:

        @event.listens_for(engine.sync_engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _interrupt_after(engine: AsyncEngine, seconds: float) -> None:
    """Limit the time of a statement. SQLite has no time limit itself, but calls a function that can interrupt it."""

    @event.listens_for(engine.sync_engine, "connect")
    def watch(connection: Any, record: Any) -> None:
        def is_over() -> bool:
            return bool(monotonic() - record.info.get("began", monotonic()) > seconds)

        connection.run_async(lambda driver: driver.set_progress_handler(is_over, STEPS_PER_CHECK))

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def begin(connection: Connection, *_rest: Any) -> None:
        connection.info["began"] = monotonic()


def _watch(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def watch(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for statement in ("PRAGMA temp_store = MEMORY", *WATCH_ON_SQLITE):
            cursor.execute(statement)
        cursor.close()
