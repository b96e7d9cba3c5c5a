"""The database: one engine for reads, one for writes, short sessions of each.

Reads run in autocommit, one statement each, so that none holds a connection while another waits. PostgreSQL plans a
read once for all values: planning the page of an inbox takes 0.5 ms, more than running it. Writes are one transaction
each. On SQLite all writers of a process share one connection and begin with BEGIN IMMEDIATE: a transaction that first
reads and then writes would otherwise fail, not wait, when another writer came between.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

import asyncpg
import orjson
from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.pool import QueuePool
from sqlalchemy.util.concurrency import await_, greenlet_spawn
from sqlmodel.ext.asyncio.session import AsyncSession

from app.observability import metrics, requests

SQLITE_BUSY_SECONDS = 30
STEPS_BETWEEN_LOOKS = 10_000
"""Instructions of SQLite's virtual machine, a fraction of a millisecond, between two looks at the clock."""

FAILURES = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
"""What `Database.fetch` raises where the database fails."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where the data lives. Every process has one; `close` it at the end."""

    read_engine: AsyncEngine
    write_engine: AsyncEngine
    _reads: async_sessionmaker[AsyncSession]
    _writes: async_sessionmaker[AsyncSession]

    @property
    def is_postgresql(self) -> bool:
        return self.write_engine.dialect.name == "postgresql"

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for one read. Never share one between fields that resolve at the same time."""
        async with self._reads() as session:
            yield session

    async def fetch(self, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        """Runs a reading statement in the driver's own dialect; the rows are as the driver has them."""
        if self.is_postgresql:
            return await greenlet_spawn(self._fetch_by_asyncpg, statement, values)
        async with self.read_engine.connect() as connection:
            return (await connection.exec_driver_sql(statement, tuple(values))).all()

    def _fetch_by_asyncpg(self, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        requests.current().statements += 1
        connection = self.read_engine.sync_engine.pool.connect()
        try:
            driver: Any = connection.driver_connection
            rows: Sequence[Any] = await_(driver.fetch(statement, *values))
        except BaseException:
            connection.invalidate()  # its answer may be still on the way
            raise
        connection.close()
        return rows

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed at the end, rolled back on any exception."""
        async with self._writes() as session:
            async with session.begin():
                yield session
            metrics.committed(session)

    async def close(self) -> None:
        await self.read_engine.dispose()
        await self.write_engine.dispose()


def connect(url: str, statement_seconds: float | None = None) -> Database:
    """The database at a SQLAlchemy URL, `sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`. Connects on first use.

    A statement that takes longer than `statement_seconds` is ended by the database; `is_timeout` knows the error.
    """
    make = _sqlite if make_url(url).get_backend_name() == "sqlite" else _postgresql
    read, write = make(url, statement_seconds, writes=False), make(url, statement_seconds, writes=True)
    for name, engine in {"read": read, "write": write}.items():
        _count(engine, name)
    return Database(read, write, _sessions(read), _sessions(write))


def is_timeout(error: BaseException) -> bool:
    """Whether the database ended a statement because it took too long."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) == "57014" or getattr(cause, "sqlite_errorname", None) == "SQLITE_INTERRUPT"


def _sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False, autoflush=False)


def _postgresql(url: str, statement_seconds: float | None, *, writes: bool) -> AsyncEngine:
    server = {} if statement_seconds is None else {"statement_timeout": str(max(1, int(statement_seconds * 1000)))}
    options: dict[str, Any] = {} if writes else {"isolation_level": "AUTOCOMMIT"}
    if not writes:
        server["plan_cache_mode"] = "force_generic_plan"
    options["connect_args"] = {"server_settings": server}
    engine = create_async_engine(
        url, json_serializer=orjson.dumps, pool_size=8, max_overflow=8, hide_parameters=True, **options
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def be_open(connection: Any, *_rest: Any) -> None:
        """The driver hears at once when the server ends a connection: asking (pool_pre_ping) takes 3 round trips."""
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine


def _count(engine: AsyncEngine, name: str) -> None:
    """Counts the statements of requests, and the connections that are in use."""

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def statement(*_details: Any) -> None:
        requests.current().statements += 1

    in_use, pool = metrics.POOL.labels(name), cast(QueuePool, engine.sync_engine.pool)
    event.listen(pool, "checkout", lambda *_connection: in_use.set(pool.checkedout()))
    event.listen(pool, "checkin", lambda *_connection: in_use.set(pool.checkedout() - 1))


def _sqlite(url: str, statement_seconds: float | None, *, writes: bool) -> AsyncEngine:
    size: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if writes else {"pool_size": 8}
    engine = create_async_engine(url, connect_args={"timeout": SQLITE_BUSY_SECONDS}, hide_parameters=True, **size)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins no transaction of its own
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    if statement_seconds is not None:
        _interrupt_after(engine, statement_seconds)
    if writes:

        @event.listens_for(engine.sync_engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _interrupt_after(engine: AsyncEngine, seconds: float) -> None:
    """SQLite has no time limit of its own, but asks every so often whether to go on."""

    @event.listens_for(engine.sync_engine, "connect")
    def watch(connection: Any, record: Any) -> None:
        def is_over() -> bool:
            return bool(monotonic() - record.info.get("began", monotonic()) > seconds)

        connection.run_async(lambda driver: driver.set_progress_handler(is_over, STEPS_BETWEEN_LOOKS))

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def begin(connection: Connection, *_rest: Any) -> None:
        connection.info["began"] = monotonic()
