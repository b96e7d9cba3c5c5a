"""Statements that are compiled once and run by the driver, inside the session's transaction or outside of any.

There are two ways of writing rows. Commands on the fast path (submit, claim, decline and what they write) use compiled
statements, with RETURNING where they need the result; so does every INSERT … ON CONFLICT, which no object can express.
All other commands and the worker use the session: its objects, or UPDATE and DELETE of a table's class. The importer
and the sample data, which are no commands, insert through app/db/bulk.py.

Compiling a statement, or finding it in SQLAlchemy's cache, and unpacking entities take several times as long as the
driver's own call; docs/performance.md has the measurements.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import asyncpg
from sqlalchemy import ClauseElement, Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import ReturnsRows
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.driver_errors import translate_errors
from app.db.engine import Database
from app.db.sqlalchemy_internals import column_readers, compile_text
from app.observability import requests

T = TypeVar("T")


class CompiledQuery:
    """A statement compiled for one dialect, whose values are all named parameters. It returns the driver's rows."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        self.text, self._parameters, self._literals = compile_text(statement, dialect)

    async def fetch(self, db: Database, values: Mapping[str, Any]) -> Sequence[Any]:
        """Run a query outside of any transaction. The rows have columns by position, with the driver's types."""
        return await db.fetch(self.text, self.bind(values))

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the placeholders, with the driver's types.

        Raises KeyError if a value is missing.
        """
        return [
            (convert(values[name]) if convert else values[name]) if name in values else self._literals[name]
            for name, convert in self._parameters
        ]


class Statement(Generic[T]):
    """A statement compiled for each dialect on first use, whose values are all named parameters.

    `make` is called with the columns of a row, as Python's types, and returns a T. Without it the rows are ignored.
    Except for the first statement of a transaction, errors are the driver's own, not wrapped by SQLAlchemy.
    """

    def __init__(self, statement: ReturnsRows, make: Callable[..., T] | None = None) -> None:
        self._statement = statement
        self._make: Callable[..., Any] = make or (lambda *_columns: None)
        self._compiled: dict[str, tuple[CompiledQuery, Callable[[Any], T]]] = {}

    async def run(self, session: AsyncSession, **values: Any) -> None:
        """Run the statement in the session's transaction."""
        await self.all(session, **values)

    async def all(self, session: AsyncSession, **values: Any) -> list[T]:
        """Run the statement in the session's transaction and return all rows."""
        connection = await session.connection()
        query, unpack = self._for(connection.dialect)
        return [unpack(row) for row in await _run(connection, query.text, query.bind(values))]

    async def first(self, session: AsyncSession, **values: Any) -> T | None:
        """Run the statement in the session's transaction and return the first row, or None."""
        rows = await self.all(session, **values)
        return rows[0] if rows else None

    async def one(self, session: AsyncSession, **values: Any) -> T:
        """Run the statement in the session's transaction and return its only row. Otherwise raises ValueError."""
        (row,) = await self.all(session, **values)
        return row

    async def read(self, db: Database, **values: Any) -> list[T]:
        """Run a query outside of any transaction and return all rows."""
        query, unpack = self._for(db.read_engine.dialect)
        return [unpack(row) for row in await db.fetch(query.text, query.bind(values))]

    def _for(self, dialect: Dialect) -> tuple[CompiledQuery, Callable[[Any], T]]:
        if (known := self._compiled.get(dialect.name)) is not None:
            return known
        readers, make = column_readers(self._statement, dialect), self._make

        def unpack(row: Any) -> T:
            made: T = make(*[read(value) if read else value for read, value in zip(readers, row, strict=True)])
            return made

        self._compiled[dialect.name] = compiled = CompiledQuery(self._statement, dialect), unpack
        return compiled


async def set_savepoint(session: AsyncSession) -> None:
    """Set the savepoint to which `roll_back` returns. The session does not know of it, and must not write after it."""
    await _run(await session.connection(), "SAVEPOINT attempt", ())


async def roll_back(session: AsyncSession) -> None:
    """Undo what compiled statements have written since the savepoint. The transaction goes on."""
    await _run(await session.connection(), "ROLLBACK TO SAVEPOINT attempt", ())


async def _run(connection: AsyncConnection, text: str, values: Sequence[Any]) -> Sequence[Any]:
    """Return the driver's rows. SQLAlchemy runs the first statement of a transaction, because that begins it."""
    if connection.dialect.name == "postgresql" and connection.sync_connection:
        driver: Any = connection.sync_connection.connection.driver_connection
        if driver is not None and driver.is_in_transaction():
            return await _fetch(connection, driver, text, values)
    result = await connection.exec_driver_sql(text, tuple(values))
    return result.all() if result.returns_rows else ()


async def _fetch(connection: AsyncConnection, driver: Any, text: str, values: Sequence[Any]) -> Sequence[Any]:
    requests.current().statements += 1
    try:
        with translate_errors(OSError):
            rows: Sequence[Any] = await driver.fetch(text, *values)
    except BaseException as error:
        if not isinstance(error, asyncpg.PostgresError) or driver.is_closed():
            await connection.invalidate()  # the server may still be sending the result
        raise
    return rows
