"""A database that is gone or silent: requests are refused in time, and nothing is said of it but that."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from app.access.tokens import issue_token
from app.db.compiled import CompiledQuery
from app.db.engine import Database, connect
from app.db.limits import Limits
from app.errors import ApiError, Code
from tests.support.api import Api, serving, settings_for
from tests.support.twilio_api import sign, with_twilio
from tests.support.world import Cast

NOBODY_LISTENS = "postgresql+asyncpg://user:hunter2@127.0.0.1:1/none"
INBOX = "{ leadOffers { total } }"


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Takes connections and never says a word."""

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(take, "127.0.0.1")
    yield f"postgresql+asyncpg://user:hunter2@127.0.0.1:{server.sockets[0].getsockname()[1]}/none"
    server.close()
    for writer in writers:
        writer.close()


@asynccontextmanager
async def dying_server() -> AsyncIterator[str]:
    """Hangs up on who has just begun to connect, as a PostgreSQL does that crashes."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # asks for TLS
        writer.write(b"N")
        await reader.readexactly(8)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1")
    yield f"postgresql+asyncpg://user:hunter2@127.0.0.1:{server.sockets[0].getsockname()[1]}/none"
    server.close()


async def refused(url: str, capsys: pytest.CaptureFixture[str], **settings: Any) -> list[dict[str, Any]]:
    """Asks each of the doors of a server without its database; the lines of its log."""
    async with serving(settings_for(url, **settings)) as api:
        somebody = replace(api, token=issue_token(api.settings, 1, "read write", 1, datetime.now(UTC)))
        query = await somebody.post({"query": INBOX})
        mutation = await somebody.post({"query": "mutation { submitLeadOffers(leadId: 1) { createdCount } }"})
        rest = await somebody.rest("GET", "/me")
    for answer in (query, mutation, rest):
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        assert "hunter2" not in answer.text
        assert "127.0.0.1" not in answer.text
    for answer in (query, mutation):
        assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 2}
        assert "data" not in answer.json()
    assert rest.json()["data"] == {"code": "UNAVAILABLE", "retry_after": 2}
    return [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]


async def test_without_postgresql_every_request_is_refused_and_the_log_has_the_cause(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = await refused(NOBODY_LISTENS, capsys)
    assert [line["outcome"] for line in lines] == ["UNAVAILABLE"] * 3
    assert all("ConnectionRefusedError" in line["reason"] for line in lines)
    assert "hunter2" not in str(lines)


async def test_the_provider_is_asked_to_retry() -> None:
    settings = with_twilio(settings_for(NOBODY_LISTENS), public_url="https://leads.example.com")
    form = {"From": "+12025550142", "Body": "1", "MessageSid": "SM1"}
    async with serving(settings) as api:
        signed = sign("https://leads.example.com/twilio/texts", form)
        answer = await api.http.post("/twilio/texts", data=form, headers=signed)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 2}


async def test_waiting_for_a_silent_postgresql_is_limited(capsys: pytest.CaptureFixture[str]) -> None:
    async with silent_server() as url, asyncio.timeout(20):
        lines = await refused(url, capsys, pool_seconds=0.2)
    assert all("TimeoutError" in line["reason"] for line in lines)


async def test_postgresql_crashes_during_a_connection_attempt(capsys: pytest.CaptureFixture[str]) -> None:
    async with dying_server() as url, asyncio.timeout(20):
        lines = await refused(url, capsys)
    assert all(re.search("connection was closed|Connection(Reset|DoesNotExist)Error", x["reason"]) for x in lines), (
        lines
    )


async def test_requests_that_get_no_connection_in_time_are_refused(database_url: str) -> None:
    database = connect(database_url, Limits(pool_size=1, pool_seconds=0.1))
    if not database.is_postgresql:  # the pool of SQLite has no size of its own
        return await database.close()
    async with database.read() as holder:
        await holder.connection()
        with pytest.raises(ApiError) as error:
            async with database.read() as second:
                await second.connection()
    assert error.value.code == "UNAVAILABLE"
    return await database.close()


async def test_an_unavailable_database_is_503(api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_args: object, **_options: object) -> None:
        raise ApiError(Code.UNAVAILABLE, "The database is gone.", {"retryAfter": 2})

    monkeypatch.setattr(CompiledQuery, "fetch", fail)
    bob = api.user(cast.bob)
    alone = await bob.post({"query": INBOX})
    assert (alone.status_code, alone.headers["retry-after"]) == (503, "2")
    assert "data" not in alone.json()


async def test_a_server_ends_its_connection_and_the_next_request_has_another(
    api: Api, cast: Cast, database: Database
) -> None:
    if not database.is_postgresql:
        return
    bob = api.user(cast.bob)
    await bob.ask(INBOX)
    async with database.write() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await asyncio.sleep(0.1)
    await bob.ask(INBOX)
