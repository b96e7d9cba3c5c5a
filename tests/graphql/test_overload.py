"""Too many requests, and requests that take too long."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import event, text

from app.db.compiled import CompiledQuery
from app.db.engine import Database, connect
from app.db.limits import Limits
from app.errors import ApiError
from tests.support.api import Api, serving, settings_for
from tests.support.world import Cast, World

ME = {"query": "{ me { id } }"}
TOTAL = {"query": "{ leadOffers { total } }"}


def refused(answer: Any) -> None:
    assert answer.status_code == 429
    extensions = answer.json()["errors"][0]["extensions"]
    assert extensions["code"] == "RATE_LIMITED"
    assert 1 <= extensions["retryAfter"] <= 3600
    assert answer.headers["retry-after"] == str(extensions["retryAfter"])


async def test_the_requests_of_a_user_are_limited(database_url: str, cast: Cast) -> None:
    async with serving(settings_for(database_url, rate_limit_per_user="3/hour")) as api:
        for _ in range(3):
            assert (await api.user(cast.bob).post(ME)).status_code == 200
        refused(await api.user(cast.bob, "read").post(ME))
        assert (await api.user(cast.alice).post(ME)).status_code == 200
        rest = await api.http.get("/me", headers={"Authorization": f"Bearer {api.user(cast.bob).token}"})
        assert (rest.status_code, "retry-after" in rest.headers) == (429, True)


async def test_the_requests_of_an_address_are_limited(database_url: str, cast: Cast) -> None:
    async with serving(settings_for(database_url, rate_limit_per_address="3/hour")) as api:
        for _ in range(2):
            assert (await api.post(ME)).status_code == 401
        assert (await api.user(cast.bob).post(ME)).status_code == 200
        refused(await api.user(cast.alice).post(ME))
        refused(await api.post(ME))


async def test_there_is_no_limit_by_default(api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    assert {(await bob.post(ME)).status_code for _ in range(100)} == {200}


@pytest.mark.parametrize("name", ["rate_limit_per_user", "rate_limit_per_address"])
def test_a_malformed_limit_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="600/minute"):
        settings_for("sqlite+aiosqlite:///x.db", **{name: "many"})


async def test_the_time_of_an_operation_is_limited(
    database_url: str, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_arguments: object, **_options: object) -> None:
        await asyncio.sleep(100)

    monkeypatch.setattr(CompiledQuery, "fetch", never)
    async with serving(settings_for(database_url, request_seconds=0.2)) as api:
        answer = await api.user(cast.bob).post(TOTAL, Accept="application/graphql-response+json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"] == {"code": "TIMEOUT"}
        assert "data" not in answer.json()
        assert (await api.user(cast.bob).post(ME)).status_code == 200


async def test_the_time_of_a_rest_request_is_limited(
    database_url: str, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_arguments: object, **_options: object) -> None:
        await asyncio.sleep(100)

    lead = await world.lead(cast.alice, cast.team)
    monkeypatch.setattr("app.rest.handlers.fetch_page", never)
    async with serving(settings_for(database_url, request_seconds=0.2)) as api:
        alice = api.user(cast.alice)
        stopped = await alice.rest("GET", f"/leads/{lead.id}/offers")
        assert (stopped.status_code, stopped.json()["data"]) == (500, {"code": "TIMEOUT"})
        assert (await alice.rest("GET", "/me")).status_code == 200


LONG = """
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000000)
    SELECT count(*) FROM numbers
"""


async def test_the_time_of_a_statement_is_limited(database_url: str) -> None:
    database = connect(database_url, Limits(statement_seconds=0.2))
    try:
        for session in (database.read, database.write):
            with pytest.raises(ApiError) as error:
                async with session() as opened:
                    await (await opened.connection()).execute(text(LONG))
            assert error.value.code == "TIMEOUT"
            async with session() as opened:
                assert (await (await opened.connection()).execute(text("SELECT 1"))).scalar_one() == 1
    finally:
        await database.close()


async def test_a_slow_statement_ends_the_request(
    database_url: str, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(_query: CompiledQuery, db: Database, _values: object) -> None:
        async with db.read() as session:
            await (await session.connection()).execute(text(LONG))

    monkeypatch.setattr(CompiledQuery, "fetch", slow)
    async with serving(settings_for(database_url, statement_seconds=0.2)) as api:
        answer = await api.user(cast.bob).send(TOTAL["query"])
        assert answer["errors"][0]["extensions"] == {"code": "TIMEOUT"}
        assert "data" not in answer


async def test_the_lists_of_one_request_are_read_on_two_connections(api: Api, cast: Cast, world: World) -> None:
    """Here by the resolvers, because a preview cannot be compiled. They read at the same time."""
    lead = await world.lead(cast.alice, cast.team)
    pool: Any = api.database.read_engine.sync_engine.pool
    in_use: list[int] = []
    event.listen(pool, "checkout", lambda *_: in_use.append(pool.checkedout() - api.database._read_pool.idle))
    lists = " ".join(f"l{i}: leadOffers {{ total data {{ id lead {{ id }} }} }}" for i in range(20))
    query = f"query ($id: ID!) {{ previewLeadOffers(leadId: $id) {{ __typename }} {lists} }}"
    answer = await api.user(cast.alice).ask(query, id=lead.id)
    assert len(answer) == 21
    assert len(in_use) > 20
    assert max(in_use) == 2


async def test_the_reason_is_that_no_connection_came_free(database_url: str, cast: Cast) -> None:
    async with serving(settings_for(database_url, pool_size=2, pool_seconds=0.1)) as api:
        if not api.database.is_postgresql:
            return
        await api.user(cast.bob).ask(ME["query"])
        waiting = asyncio.create_task(api.database.fetch("SELECT 1 FROM pg_sleep(2)", []))
        await asyncio.sleep(0.1)
        answer = await api.user(cast.bob).post(ME)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert answer.json()["errors"][0]["message"].startswith("The server is busy: all its connections")
        await waiting
