"""The read pool uses half of the engine's connections, and reads queue for them, slow ones behind each other."""

import asyncio
from collections.abc import Sequence
from contextvars import copy_context
from typing import Any

import pytest
from sqlalchemy import event, text

from app.db import read_pool
from app.db.engine import Database, connect
from app.db.limits import Limits
from app.db.read_pool import ReadPool
from app.errors import ApiError
from app.observability import requests
from app.observability.requests import RequestRecord

BACKEND = "SELECT pg_backend_pid() FROM pg_sleep($1)"


async def backend_of_read(database: Database, seconds: float = 0.01) -> int:
    """The process id of the server's side of the connection on which a read of so many seconds ran."""
    pid: int = (await database.fetch(BACKEND, [seconds]))[0][0]
    return pid


@pytest.mark.parametrize(("pool_size", "most"), [(6, 3), (1, 1)])
async def test_simultaneous_reads_share_half_of_the_pool(database_url: str, pool_size: int, most: int) -> None:
    database = connect(database_url, Limits(pool_size=pool_size))
    if database.is_postgresql:
        assert len(set(await asyncio.gather(*(backend_of_read(database) for _ in range(20))))) == most
        async with database.read() as session:
            await session.connection()
    await database.close()


async def test_a_read_that_waits_too_long_for_a_connection_is_refused(database_url: str) -> None:
    database = connect(database_url, Limits(pool_size=2, pool_seconds=0.1))
    if database.is_postgresql:
        slow = asyncio.create_task(backend_of_read(database, 0.5))
        await asyncio.sleep(0.05)
        with pytest.raises(ApiError) as error:
            await backend_of_read(database)
        assert error.value.code == "UNAVAILABLE"
        assert "all its connections to the database are in use" in error.value.message
        await slow
        await backend_of_read(database)
    await database.close()


@pytest.fixture
def quick_seconds(monkeypatch: pytest.MonkeyPatch) -> float:
    """The time of a quick read. The planner takes every statement to be expensive, `pg_sleep` included."""
    monkeypatch.setattr(read_pool, "QUICK_SECONDS", 0.1)
    monkeypatch.setattr(read_pool, "EXPENSIVE", 0)
    return 0.1


async def sleeping(database: Database) -> int:
    """The number of connections to the test's database on which a sleep is running."""
    mine = "datname = current_database() AND pid <> pg_backend_pid()"
    asked = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND {mine}"
    (row,) = await database.fetch(asked, [])
    return int(row[0])


def runs_of(pool: Any, monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Return a list that receives the time limit of every statement that the pool runs from now on."""
    limits: list[float | None] = []
    run = ReadPool._run

    async def noted(self: ReadPool, statement: str, values: Sequence[Any], seconds: float | None) -> Sequence[Any]:
        if not statement.startswith("EXPLAIN"):
            limits.append(seconds)
        return await run(self, statement, values, seconds)

    monkeypatch.setattr(ReadPool, "_run", noted)
    return limits


async def test_slow_reads_wait_for_each_other_and_quick_reads_for_none(database_url: str, quick_seconds: float) -> None:
    database = connect(database_url, Limits(pool_size=8, pool_seconds=30))
    if database.is_postgresql:
        slow = [asyncio.create_task(backend_of_read(database, 1)) for _ in range(3)]
        await asyncio.sleep(5 * quick_seconds)
        for _ in range(10):
            assert await sleeping(database) == 1
        assert not any(task.done() for task in slow)
        await asyncio.gather(*slow)
    await database.close()


async def test_a_slow_statement_of_a_reader_is_remembered(
    database_url: str, quick_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = connect(database_url, Limits(pool_size=8))
    if database.is_postgresql:
        limits = runs_of(database._read_pool, monkeypatch)
        await backend_of_read(database, 2 * quick_seconds)
        assert limits == [quick_seconds, None]
        await backend_of_read(database)
        assert limits == [quick_seconds, None, None]
        await database.fetch("SELECT 1", [])
        assert limits[3:] == [quick_seconds]

        def another() -> "asyncio.Task[int]":
            record = RequestRecord("other", "POST")
            record.reader = 7
            requests.begin(record)
            return asyncio.create_task(backend_of_read(database))

        await copy_context().run(another)
        assert limits[4:] == [quick_seconds]
    await database.close()


async def test_a_cheap_statement_that_took_long_gets_more_time(
    database_url: str, quick_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that is busy makes all reads slow; they must not queue behind those that are."""
    monkeypatch.setattr(read_pool, "EXPENSIVE", 50_000)
    monkeypatch.setattr(read_pool, "SECOND_TRY_SECONDS", 0.4)
    database = connect(database_url, Limits(pool_size=8))
    if database.is_postgresql:
        limits = runs_of(database._read_pool, monkeypatch)
        await backend_of_read(database, 2 * quick_seconds)
        await backend_of_read(database, 0)
        assert limits == [quick_seconds, 0.4, quick_seconds]

        await backend_of_read(database, 0.6)
        assert limits[3:] == [quick_seconds, 0.4, None]

        numbers = "SELECT count(*) FROM generate_series(1, $1::bigint) AS one, generate_series(1, 10000) AS two"
        limits.clear()
        assert (await database.fetch(numbers, [300]))[0][0] == 3_000_000
        assert limits in ([quick_seconds, None], [quick_seconds])  # a machine may count as fast
    await database.close()


async def test_new_statements_of_slow_readers_are_tried_on_one_connection(
    database_url: str, quick_seconds: float
) -> None:
    database = connect(database_url, Limits(pool_size=16, pool_seconds=30))
    if database.is_postgresql:
        await backend_of_read(database, 2 * quick_seconds)

        async def another(number: int) -> Any:
            return await database.fetch(f"SELECT {number} FROM pg_sleep($1)", [quick_seconds / 2])

        assert len(await asyncio.gather(*(another(number) for number in range(5)))) == 5
        tasks = [asyncio.create_task(another(number)) for number in range(10, 15)]
        await asyncio.sleep(quick_seconds)
        async with database.read() as session:
            mine = "datname = current_database() AND state = 'active' AND query LIKE 'SELECT 1_ FROM%'"
            active = await session.exec(text(f"SELECT count(*) FROM pg_stat_activity WHERE {mine}"))  # type: ignore[call-overload]
            assert active.one()[0] <= 1
        await asyncio.gather(*tasks)
    await database.close()


async def test_a_slow_read_that_waits_too_long_for_its_turn_says_so(database_url: str, quick_seconds: float) -> None:
    database = connect(database_url, Limits(pool_size=8, statement_seconds=0.5))
    if database.is_postgresql:
        results = await asyncio.gather(
            *(backend_of_read(database, seconds) for seconds in (0.45, 0.45, 0.45, 0.45)), return_exceptions=True
        )
        refused = [error for error in results if isinstance(error, ApiError)]
        assert 1 <= len(refused) < 4
        assert {error.code for error in refused} == {"TIMEOUT"}
        assert all("did not get its turn within 0.5 seconds" in error.message for error in refused)
    await database.close()


async def test_the_time_limit_of_a_statement_is_a_timeout(database_url: str, quick_seconds: float) -> None:
    database = connect(database_url, Limits(pool_size=8, statement_seconds=0.4))
    if database.is_postgresql:
        with pytest.raises(ApiError) as error:
            await backend_of_read(database, 5)
        assert (error.value.code, "time limit" in error.value.message) == ("TIMEOUT", True)
        assert await backend_of_read(database, 0)
    await database.close()


async def test_a_read_that_nobody_waits_for_is_stopped(database_url: str) -> None:
    """The server ends the statement, and the connection stays in the pool."""
    database = connect(database_url, Limits(pool_size=2))
    if database.is_postgresql:
        backend = await backend_of_read(database)
        for wait in (0.05, 0.1):
            gone = asyncio.create_task(backend_of_read(database, 60))
            await asyncio.sleep(wait)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            assert await sleeping(database) == 0
        assert await backend_of_read(database) == backend
    await database.close()


async def test_one_request_reads_on_two_connections_at_a_time(database_url: str) -> None:
    database = connect(database_url, Limits(pool_size=12))
    if database.is_postgresql:
        used: set[int] = set()
        most = 0
        pool = database.read_engine.sync_engine.pool
        event.listen(pool, "checkout", lambda _driver, record, _proxy: used.add(id(record)))
        event.listen(pool, "checkin", lambda _driver, record: used.discard(id(record)))

        async def in_session() -> None:
            nonlocal most
            async with database.read() as session:
                await session.exec(text("SELECT pg_sleep(0.02)"))  # type: ignore[call-overload]
                most = max(most, len(used))

        async def whole_request() -> int:
            requests.begin(RequestRecord("one", "POST"))
            backends = await asyncio.gather(*(backend_of_read(database) for _ in range(10)))
            await database._read_pool.close()
            await asyncio.gather(*(in_session() for _ in range(10)))
            return len(set(backends))

        assert await asyncio.create_task(whole_request()) == 2
        assert most == 2
    await database.close()


async def test_a_slow_page_in_a_session_waits_for_other_slow_reads(
    database_url: str, quick_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_pool, "SECOND_TRY_SECONDS", quick_seconds)
    database = connect(database_url, Limits(pool_size=8, pool_seconds=30))
    if database.is_postgresql:

        async def sleep(session: Any) -> int:
            return int((await session.exec(text("SELECT 1 FROM pg_sleep(0.5)"))).one()[0])

        pages = [asyncio.create_task(database.read_page("leads", sleep)) for _ in range(3)]
        await asyncio.sleep(5 * quick_seconds)
        assert await sleeping(database) == 1
        assert await asyncio.gather(*pages) == [1, 1, 1]
    await database.close()
