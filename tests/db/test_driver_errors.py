"""Failures of the database become UNAVAILABLE or TIMEOUT; every other error keeps its type."""

import sqlite3
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InvalidRequestError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.driver_errors import TransactionConflict, to_api_error
from app.db.engine import Database, connect
from app.errors import ApiError, Code

NOBODY_LISTENS = "postgresql+asyncpg://user:password@127.0.0.1:1/none"


def sqlite_error(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("it failed")
    error.sqlite_errorname = name
    return error


def wrapped(cause: Exception, *, connection_invalidated: bool = False) -> DBAPIError:
    return DBAPIError("SELECT 1", None, cause, connection_invalidated=connection_invalidated)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        PoolTimeout(),
        DisconnectionError(),
        asyncpg.ConnectionDoesNotExistError("it failed"),
        asyncpg.InvalidPasswordError("it failed"),
        asyncpg.InvalidCatalogNameError("it failed"),
        asyncpg.TooManyConnectionsError("it failed"),
        asyncpg.AdminShutdownError("it failed"),
        asyncpg.ReadOnlySQLTransactionError("it failed"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InterfaceError("cannot call Transaction.commit(): the underlying connection is closed"),
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
        asyncpg.ProtocolError("it failed"),
        asyncpg.TargetServerAttributeNotMatched("none of the hosts takes writes"),
        asyncpg.OutdatedSchemaCacheError("it failed"),
        InvalidRequestError("This connection is closed"),
        sqlite_error("SQLITE_BUSY"),
        wrapped(asyncpg.AdminShutdownError("it failed")),
        wrapped(ValueError(), connection_invalidated=True),
    ],
)
def test_a_lost_database_is_unavailable(error: Exception) -> None:
    translated = to_api_error(error)
    assert translated is not None
    assert (translated.code, translated.headers) == (Code.UNAVAILABLE, {"Retry-After": "2"})


@pytest.mark.parametrize("error", [asyncpg.QueryCanceledError("it failed"), sqlite_error("SQLITE_INTERRUPT")])
def test_a_cancelled_statement_is_a_timeout(error: Exception) -> None:
    for raised in (error, wrapped(error)):
        translated = to_api_error(raised)
        assert translated is not None
        assert translated.code is Code.TIMEOUT


@pytest.mark.parametrize("error", [asyncpg.DeadlockDetectedError("it failed"), asyncpg.SerializationError("it failed")])
def test_a_conflict_of_transactions_is_unavailable_and_may_be_run_again(error: Exception) -> None:
    for raised in (error, wrapped(error)):
        translated = to_api_error(raised)
        assert isinstance(translated, TransactionConflict)
        assert (translated.code, translated.headers) == (Code.UNAVAILABLE, {"Retry-After": "2"})
        assert translated.reason.endswith("Error: it failed")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("closed"),
        RuntimeError(),
        AssertionError(),
        asyncpg.UniqueViolationError("it failed"),
        asyncpg.PostgresSyntaxError("it failed"),
        PendingRollbackError(),
        sqlite_error("SQLITE_CONSTRAINT"),
        wrapped(asyncpg.UniqueViolationError("it failed")),
    ],
)
def test_a_bug_is_no_failure_of_the_database(error: Exception) -> None:
    assert to_api_error(error) is None


async def test_sessions_and_reads_raise_unavailable() -> None:
    database = connect(NOBODY_LISTENS)
    for attempt in (database.fetch("SELECT 1", []), use(database.read()), use(database.write())):
        with pytest.raises(ApiError) as error:
            await attempt
        assert error.value.code is Code.UNAVAILABLE
        assert isinstance(error.value.__cause__, ConnectionRefusedError)
    await database.close()


async def use(
    opened: AbstractAsyncContextManager[AsyncSession], statement: str = "SELECT 1", error: Exception | None = None
) -> None:
    """Run a statement in the session, then raise the error inside it."""
    async with opened as session:
        await (await session.connection()).execute(text(statement))
        if error is not None:
            raise error


@pytest.mark.parametrize("error", [ConnectionResetError("of another server"), TimeoutError(), KeyError("x")])
async def test_errors_of_the_caller_pass_through_a_session(database: Database, error: Exception) -> None:
    for opened in (database.read(), database.write()):
        with pytest.raises(type(error)) as raised:
            await use(opened, error=error)
        assert raised.value is error


async def test_other_errors_of_the_database_keep_their_type(database: Database) -> None:
    for opened in (database.read(), database.write()):
        with pytest.raises(DBAPIError, match="no_such_table"):
            await use(opened, "SELECT 1 FROM no_such_table")


async def test_a_commit_on_a_lost_connection_is_unavailable(database: Database) -> None:
    async def lose_connection() -> None:
        async with database.write() as session:
            connection = await session.connection()
            await connection.execute(text("SELECT 1"))  # begins the transaction
            driver: Any = (await connection.get_raw_connection()).driver_connection
            driver.terminate()

    if database.is_postgresql:
        with pytest.raises(ApiError) as error:
            await lose_connection()
        assert error.value.code is Code.UNAVAILABLE
    await use(database.write())


async def test_a_connection_that_the_driver_does_not_understand_is_dropped(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.is_postgresql:
        return

    async def fail(*_arguments: object, **_options: object) -> None:
        raise asyncpg.InternalClientError("got result for unknown protocol state 3")

    broken: set[object] = set()
    async with database.write() as session:
        connection = await session.connection()
        broken.add((await connection.get_raw_connection()).driver_connection)
    for method in ("fetch", "prepare"):  # of the compiled reads, and of sessions
        with monkeypatch.context() as patch:
            patch.setattr(asyncpg.Connection, method, fail)
            with pytest.raises(ApiError) as error:
                await (database.fetch("SELECT 1", []) if method == "fetch" else use(database.write()))
        assert error.value.code is Code.UNAVAILABLE
    async with database.write() as session:
        connection = await session.connection()
        assert (await connection.get_raw_connection()).driver_connection not in broken
    await use(database.read())
