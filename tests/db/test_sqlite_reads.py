"""Reads of SQLite in threads: simultaneous ones, those that take too long, and files that cannot be opened."""

import asyncio
from pathlib import Path

import pytest

from app.db.engine import connect
from app.db.limits import Limits
from app.errors import ApiError

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


def url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


async def test_more_reads_than_threads_run_at_once(tmp_path: Path) -> None:
    database = connect(url(tmp_path / "x.db"))
    rows = await asyncio.gather(*(database.fetch("SELECT ?, ?", [number, "x"]) for number in range(50)))
    assert [list(found[0]) for found in rows] == [[number, "x"] for number in range(50)]
    await database.close()


async def test_a_read_that_takes_too_long_is_interrupted_and_the_next_one_is_not(tmp_path: Path) -> None:
    database = connect(url(tmp_path / "x.db"), Limits(statement_seconds=0.1))
    for _ in range(5):
        with pytest.raises(ApiError) as error:
            await database.fetch(ENDLESS, [])
        assert error.value.code == "TIMEOUT"
        assert list((await database.fetch("SELECT 1", []))[0]) == [1]
    await database.close()


async def test_a_read_sees_what_was_committed_before(tmp_path: Path) -> None:
    database = connect(url(tmp_path / "x.db"))
    async with database.write() as session:
        await (await session.connection()).exec_driver_sql("CREATE TABLE t (i INTEGER)")
    for number in range(5):
        async with database.write() as session:
            await (await session.connection()).exec_driver_sql("INSERT INTO t VALUES (1)")
        assert (await database.fetch("SELECT count(*) FROM t", []))[0][0] == number + 1
    await database.close()


async def test_an_invalid_statement_keeps_its_error(tmp_path: Path) -> None:
    database = connect(url(tmp_path / "x.db"))
    with pytest.raises(Exception, match="no such table"):
        await database.fetch("SELECT * FROM missing", [])
    await database.close()
