"""Detects a connection pooler that shares its connections to PostgreSQL between clients.

PgBouncer does so with `pool_mode = transaction`: each transaction runs on another connection, with the settings and the
prepared statements that other clients have left there. `app/db/postgresql.py` does without both if the URL says so.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from app.config import NO_STATEMENT_CACHE, PREFIX

ATTEMPTS = 10
"""How often two connections are compared. Without load, the first time tells; under load, connections change all the
time."""

PROBE_SECONDS = 2.0
"""How long the second connection may take. A pooler in session mode has no other one for it if all are in use."""


class SharedConnectionError(ConnectionError):
    """A pooler shares its connections, and the URL does not say so. The message is for the operator."""

    def __init__(self) -> None:
        super().__init__(
            f"{PREFIX}DATABASE_URL leads to a connection pooler that shares its connections between clients, such as "
            f"PgBouncer with pool_mode = transaction. Add {NO_STATEMENT_CACHE} to the URL, after ? or &, and set "
            f"{PREFIX}LISTEN_URL to the address of PostgreSQL itself. Or use pool_mode = session."
        )


def require_own_session(connection: Any, connect_another: Callable[[], Any]) -> None:
    """Raise SharedConnectionError if a pooler runs the transactions of a connection on various ones of its own.

    Connections are those that SQLAlchemy's dialect opens, and the caller is a function that it runs.
    """
    if connection.run_async(_is_direct):
        return
    other = connect_another()
    try:
        with suppress(TimeoutError):
            shares = connection.run_async(lambda driver: _share(driver, other.driver_connection))
            if shares:
                raise SharedConnectionError
    finally:
        other.terminate()


async def _is_direct(driver: Any) -> bool:
    """Return whether the process that serves the connection is the one that has accepted it. A pooler is another one.

    The status of a simple query tells, which no pooler can split.
    """
    status: str = await driver.execute(f"SELECT WHERE pg_backend_pid() = {driver.get_server_pid():d}")
    return status == "SELECT 1"


async def _share(one: Any, other: Any) -> bool:
    """Return whether two clients of a pooler have ever had the same connection. Raises TimeoutError."""
    async with asyncio.timeout(PROBE_SECONDS):
        first = await _server_process(one)
        for _ in range(ATTEMPTS):
            if await _server_process(other) == first or await _server_process(one) != first:
                return True
    return False


async def _server_process(driver: Any) -> int:
    async with driver.transaction():  # the pooler must not split the query
        query = await driver.prepare("SELECT pg_backend_pid()", name="")
        process: int = await query.fetchval()
        return process
