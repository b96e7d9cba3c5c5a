"""Reads of SQLite in threads of their own, each with a connection of Python's `sqlite3`.

aiosqlite hands every call to a thread and waits for it, several times for one statement, and SQLAlchemy adds greenlets:
together they take longer than a short read. Here a read is one call in a thread. A compiled page of ten offers took
0.8 ms instead of 3.2, a board of twenty leads 5.5 ms instead of 21 (26 November 2026, on a busy machine).
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import local
from time import monotonic
from typing import Any

from app.db.functions import SQLITE_FUNCTIONS
from app.observability import tracing

THREADS = 4
"""Reads that run at the same time. SQLite releases Python's lock while it works."""

STEPS_PER_CHECK = 10_000
"""How many instructions SQLite runs between two checks of the time limit: a fraction of a millisecond."""

CACHED_STATEMENTS = 256


class SQLiteReads:
    """Runs reads of a database file. The first read of each thread connects."""

    def __init__(self, file: str, busy_seconds: float, pragmas: Sequence[str], statement_seconds: float | None) -> None:
        self._file, self._busy_seconds, self._pragmas = file, busy_seconds, pragmas
        self._statement_seconds = statement_seconds
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="sqlite-read")
        self._of_thread = local()
        self._connections: list[sqlite3.Connection] = []

    @property
    def idle(self) -> int:
        """None of these connections belongs to the engine's pool."""
        return 0

    async def fetch(self, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        """Return the rows. Raise sqlite3.OperationalError if the statement takes too long or the file is locked."""
        with tracing.statement_span(statement, "sqlite"):
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, statement, values)

    async def close(self) -> None:
        """Close the connections, once running reads have ended."""
        await asyncio.to_thread(self._executor.shutdown)
        for connection in self._connections:
            connection.close()

    def _run(self, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        self._of_thread.began = monotonic()
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = self._connect()
        connection: sqlite3.Connection = self._of_thread.connection
        rows: Sequence[Any] = connection.execute(statement, values).fetchall()
        return rows

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._file,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,  # `close` runs in another thread
            cached_statements=CACHED_STATEMENTS,
        )
        for pragma in self._pragmas:
            connection.execute(f"PRAGMA {pragma}")
        for name, function in SQLITE_FUNCTIONS.items():
            connection.create_function(name, 1, function, deterministic=True)
        limit = self._statement_seconds
        if limit is not None:
            connection.set_progress_handler(lambda: monotonic() - self._of_thread.began > limit, STEPS_PER_CHECK)
        self._connections.append(connection)
        return connection
