"""Engines of SQLite: one connection for all writers of a process, and time limits that SQLite itself does not have."""

import sqlite3
from time import monotonic
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.db.change_feed import WATCH_ON_SQLITE
from app.db.functions import SQLITE_FUNCTIONS
from app.db.limits import Limits
from app.db.sqlite_reads import STEPS_PER_CHECK

BUSY_SECONDS = 30
"""How long a statement waits for another process that writes."""

PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON")


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


def make_engine(url: str, limits: Limits, *, writes: bool) -> AsyncEngine:
    size: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if writes else {"pool_size": 8}
    driver = {"timeout": BUSY_SECONDS, "factory": SQLiteConnection}
    engine = create_async_engine(url, connect_args=driver, hide_parameters=True, **size)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins no transaction of its own
        cursor = connection.cursor()
        for pragma in PRAGMAS:
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


def watch_changes(engine: AsyncEngine) -> None:
    """Make the connections record the offers and leads that they change, for `take_changes`."""

    @event.listens_for(engine.sync_engine, "connect")
    def watch(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for statement in ("PRAGMA temp_store = MEMORY", *WATCH_ON_SQLITE):
            cursor.execute(statement)
        cursor.close()
