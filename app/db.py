"""The database: one engine for reads, one for writes, short sessions of each.

Reads run in autocommit, one statement each, so that none holds a connection while another waits. Writes are one
transaction each. On SQLite all writers of a process share one connection and begin with BEGIN IMMEDIATE: a
transaction that first reads and then writes would otherwise fail, not wait, when another writer came between.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

SQLITE_BUSY_SECONDS = 30


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

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed at the end, rolled back on any exception."""
        async with self._writes() as session, session.begin():
            yield session

    async def close(self) -> None:
        await self.read_engine.dispose()
        await self.write_engine.dispose()


def connect(url: str) -> Database:
    """The database at a SQLAlchemy URL, `sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`. Connects on first use."""
    write = _sqlite(url, writes=True) if make_url(url).get_backend_name() == "sqlite" else _postgresql(url)
    read = (
        _sqlite(url, writes=False)
        if write.dialect.name == "sqlite"
        else write.execution_options(isolation_level="AUTOCOMMIT")
    )
    return Database(read, write, _sessions(read), _sessions(write))


def _sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False, autoflush=False)


def _postgresql(url: str) -> AsyncEngine:
    return create_async_engine(url, json_serializer=orjson.dumps, pool_size=8, max_overflow=8, pool_pre_ping=True)


def _sqlite(url: str, *, writes: bool) -> AsyncEngine:
    size: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if writes else {"pool_size": 8}
    engine = create_async_engine(url, connect_args={"timeout": SQLITE_BUSY_SECONDS}, **size)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins no transaction of its own
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    if writes:

        @event.listens_for(engine.sync_engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
