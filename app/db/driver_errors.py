"""Recognises failures of the database among the errors of SQLAlchemy, asyncpg and sqlite3, and raises them as ApiError.

TIMEOUT: a statement was cancelled at its time limit. UNAVAILABLE: the database cannot be reached or takes no requests,
no connection to it came free in time, or it has rolled a transaction back because of simultaneous ones
(TransactionConflict). Every other error, such as a violated constraint or invalid SQL, keeps its type.
"""

import sqlite3
from types import TracebackType

import asyncpg
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ApiError, Code
from app.observability import requests

RETRY_SECONDS = 2
"""`retryAfter` of UNAVAILABLE."""

DRIVER_ERRORS = (
    *(SQLAlchemyError, sqlite3.Error),
    *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
)
"""All errors that only a database raises. Drivers also raise OSError, which anything else may raise too."""

CANCELLED = frozenset({"57014", "SQLITE_INTERRUPT"})
"""Error codes of a statement that ran into its time limit."""

CONFLICTS = frozenset({"40P01", "40001"})
"""Error codes of a transaction that PostgreSQL rolled back because of others: a deadlock, a serialization failure."""

UNAVAILABLE = ("08", "28", "3D", "53", "57P", "25006", "SQLITE_BUSY")
"""Prefixes of error codes: connection lost, login or database refused, out of resources, shutting down, read-only
standby, locked by another process. https://www.postgresql.org/docs/current/errcodes-appendix.html"""

TOO_DEEP = "parser stack overflow"
"""SQLite's message for a statement whose parts are nested too deeply. PostgreSQL parses whatever our limits allow."""


class TransactionConflict(ApiError):
    """UNAVAILABLE: the transaction cannot end well beside simultaneous ones. `Database.in_transaction` runs it again.

    A command raises it too, if it meets a lock that it must not wait for (app/commands/locks.py).
    """

    def __init__(self, reason: str) -> None:
        message = f"Other requests are changing the same objects. Try again in {RETRY_SECONDS} seconds."
        super().__init__(Code.UNAVAILABLE, message, {"retryAfter": RETRY_SECONDS})
        self.reason = reason


class translate_errors:  # noqa: N801  a context manager; one made of a generator takes three times as long
    """Raises ApiError TIMEOUT or UNAVAILABLE in place of errors of these kinds, if they mean that; others pass."""

    def __init__(self, *kinds: type[Exception]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: TracebackType | None) -> None:
        if isinstance(error, self._kinds) and (translated := to_api_error(error)):
            raise translated from error


def is_broken(error: BaseException) -> bool:
    """Return whether the driver does not understand its connection any more.

    asyncpg raises InternalClientError if the server ends the connection at a moment that it does not expect.
    SQLAlchemy raises an error of its own from it.
    """
    return any(isinstance(each, asyncpg.InternalClientError) for each in (error, error.__cause__))


def is_too_deep(error: BaseException) -> bool:
    """Return whether the database refuses to parse a statement because its parts are nested too deeply."""
    return isinstance(error, sqlite3.OperationalError) and TOO_DEEP in str(error)


def to_api_error(error: BaseException) -> ApiError | None:
    """Return TIMEOUT or UNAVAILABLE for an error of a driver; None if it means neither.

    The cause stays out of the message and goes into the log line of the request.
    """
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    codes = {getattr(cause, "sqlstate", None), getattr(cause, "sqlite_errorname", None)}
    if codes & CONFLICTS:
        return TransactionConflict(f"{type(cause).__name__}: {cause}".split("\n", maxsplit=1)[0])
    if codes & CANCELLED:
        return ApiError(Code.TIMEOUT, "The database stopped a statement at its time limit. Request less data at once.")
    if not _is_unavailable(error, cause, codes):
        return None

    requests.current().reason = f"{type(cause).__name__}: {cause}".split("\n", maxsplit=1)[0]
    if isinstance(cause, PoolTimeout):
        problem = "The server is busy: all its connections to the database are in use."
    else:
        problem = "The database is unavailable."
    message = f"{problem} Try again in {RETRY_SECONDS} seconds."
    return ApiError(Code.UNAVAILABLE, message, {"retryAfter": RETRY_SECONDS})


def _is_unavailable(error: BaseException, cause: BaseException, codes: set[str | None]) -> bool:
    if isinstance(cause, OSError | PoolTimeout | DisconnectionError) or is_broken(cause):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # Neither asyncpg's InterfaceError nor the error of SQLAlchemy's pool has a code for this.
    return "connection is closed" in str(cause) or any(code and code.startswith(UNAVAILABLE) for code in codes)
