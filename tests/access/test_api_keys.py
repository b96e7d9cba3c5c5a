"""API keys: their form, the users whom they sign in on every transport, their end, and the day of their use."""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import orjson
import pytest
from sqlmodel import SQLModel, col, select

from app.access.api_keys import ApiKeys, new_key
from app.access.auth import Authenticator, make_authenticator
from app.db.compiled import CompiledQuery
from app.db.engine import Database
from app.db.models import ApiKey
from app.domain.api_key_form import hash_key, is_well_formed
from app.domain.enums import ApiScope
from app.errors import ApiError, Code
from app.main import create_app
from tests.graphql.test_event_streams import following
from tests.support.api import Api, days_are_noted, serving, settings_for
from tests.support.databases import statements_of
from tests.support.graphql_ws import connected, signed_in, submit, url_of
from tests.support.live_server import live_server
from tests.support.world import NOW, Cast, World, change

READ, WRITE, INTAKE = ApiScope.READ, ApiScope.WRITE, ApiScope.INTAKE
ME = "{ me { id } }"
CREATE_CONTACT = 'mutation { createContact(input: {firstName: "Mia"}) { contact { firstName } } }'
MILLISECOND = timedelta(milliseconds=1)


def with_key(api: Api, key: str) -> Api:
    """Return a client that sends the key."""
    return replace(api, token=key)


async def used_on(database: Database, key: ApiKey) -> str | None:
    async with database.read() as session:
        return (await session.exec(select(ApiKey.last_used_on).where(col(ApiKey.id) == key.id))).one()


@pytest.fixture(autouse=True)
async def _notes_end_before_the_database(database: Database) -> AsyncIterator[None]:
    yield
    await days_are_noted()


def is_noting(statement: str) -> bool:
    return statement.startswith("UPDATE api_keys")


def test_a_key_can_be_recognized_and_has_no_character_that_an_address_escapes() -> None:
    keys = {new_key() for _ in range(1_000)}
    assert len(keys) == 1_000
    assert all(re.fullmatch("lo_[0-9A-Za-z]{42}", key) and is_well_formed(key) for key in keys)
    assert len({key[3:11] for key in keys}) == 1_000


def test_a_key_with_any_wrong_character_is_recognized_as_mistyped() -> None:
    key = new_key()
    for place in range(len(key)):
        for other in {"a", "Z", "0", "é", " "} - {key[place]}:
            assert not is_well_formed(key[:place] + other + key[place + 1 :]), (place, other)
        assert not is_well_formed(key[:place])
        assert not is_well_formed(key[:place] + key[place:] + key[place])
    for other in ("", "lo_", "lo_" * 15, key.upper(), key.lower(), key[::-1]):
        assert not is_well_formed(other)


async def test_only_the_hash_of_a_key_is_stored(database: Database, world: World, cast: Cast) -> None:
    _, key = await world.api_key(cast.bob, READ)
    async with database.read() as session:
        connection = await session.connection()
        for table in SQLModel.metadata.sorted_tables:
            stored = str((await connection.execute(table.select())).all())
            assert key not in stored
            assert (hash_key(key) in stored) == (table.name == "api_keys")


async def test_a_key_signs_its_user_in_over_http(api: Api, world: World, cast: Cast) -> None:
    _, key = await world.api_key(cast.bob, READ, WRITE)
    bob, me = with_key(api, key), {"me": {"id": str(cast.bob.id)}}
    assert await bob.ask(ME) == me
    assert await bob.ask(CREATE_CONTACT) == {"createContact": {"contact": {"firstName": "Mia"}}}
    assert (await bob.rest("GET", "/me")).json()["id"] == cast.bob.id
    get = await api.http.get("/graphql", params={"query": ME}, headers={"Authorization": f"bearer  {key} "})
    assert get.json() == {"data": me}


async def test_a_key_signs_its_user_in_on_long_lived_connections(live: Api, world: World, cast: Cast) -> None:
    _, key = await world.api_key(cast.bob, READ)
    lead = await world.lead(cast.alice, cast.team)
    async with signed_in(url_of(live), key) as client, following(url_of(live), key) as reader:
        await client.subscribe()
        await reader.begun()
        offers = await submit(live, cast, lead.id)
        assert (await client.next())["leadOffer"]["id"] == offers[str(cast.bob.id)]
        _, told = await reader.event()
        assert told["data"]["leadOfferChanged"]["leadOffer"]["id"] == offers[str(cast.bob.id)]


@pytest.mark.parametrize(
    ("scopes", "codes"),
    [
        ([READ], [None, "FORBIDDEN"]),
        ([WRITE], ["FORBIDDEN", None]),
        ([READ, WRITE], [None, None]),
        ([READ, INTAKE], [None, "FORBIDDEN"]),
        ([WRITE, INTAKE], ["FORBIDDEN", None]),
    ],
)
async def test_a_key_has_its_scopes_alone(
    api: Api, world: World, cast: Cast, scopes: Sequence[ApiScope], codes: Sequence[str | None]
) -> None:
    _, key = await world.api_key(cast.bob, *scopes)
    for _ in range(2):
        answers = [await with_key(api, key).send(query) for query in (ME, CREATE_CONTACT)]
        assert [
            answer.get("errors", [{"extensions": {"code": None}}])[0]["extensions"]["code"] for answer in answers
        ] == codes
    (error,) = (await with_key(api, key).send("{ me { id } leads(limit: 0) { total } }")).get("errors", [None])
    assert error is None or error["message"] == "The API key lacks the scope read."


async def test_a_wrong_key_signs_nobody_in_and_a_mistyped_one_costs_no_statement(
    api: Api, world: World, cast: Cast
) -> None:
    _, key = await world.api_key(cast.bob, READ, WRITE)
    statements = api.statements()
    for wrong in ("lo_", key[:-1], key + "x", key.swapcase(), f"lo_{'x' * 42}", key.replace("lo_", "lo_é")):
        if wrong.isascii():
            assert await with_key(api, wrong).refusal(ME) == {"code": "UNAUTHENTICATED"}
    assert statements == []
    assert await with_key(api, new_key()).refusal(ME) == {"code": "UNAUTHENTICATED"}
    assert len(statements) == 1


ENDS: dict[str, Callable[[World, Cast, ApiKey], Awaitable[None]]] = {
    "revoked": lambda world, _cast, row: change(world, row, revoked_at=NOW),
    "expired": lambda world, _cast, row: change(world, row, expires_at=NOW),
    "switched off": lambda world, cast, _row: change(world, cast.bob, is_active=False),
}
REQUESTS: dict[str, Callable[[Api], Awaitable[httpx2.Response]]] = {
    "a plan": lambda bob: bob.post({"query": ME}),
    "resolvers": lambda bob: bob.post({"query": "{ __schema { queryType { name } } }"}),
    "a mutation": lambda bob: bob.post({"query": CREATE_CONTACT}),
    "an event stream": lambda bob: bob.post(
        {"query": "subscription { leadOfferChanged { previousStatus } }"}, Accept="text/event-stream"
    ),
    "REST": lambda bob: bob.rest("GET", "/me"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("is_warm", [True, False])
async def test_a_key_that_has_ended_is_refused_at_the_next_request(
    api: Api, world: World, cast: Cast, end: str, is_warm: bool
) -> None:
    row, key = await world.api_key(cast.bob, READ, WRITE)
    bob = with_key(api, key)
    if is_warm:
        for name, send in REQUESTS.items():
            if name != "an event stream":
                assert (await send(bob)).status_code == 200
    await ENDS[end](world, cast, row)
    for _ in range(2):
        for name, send in REQUESTS.items():
            response = await send(bob)
            assert response.status_code == 401, name
            assert response.headers["www-authenticate"] == 'Bearer realm="lead-offers"'
            assert key not in response.text


async def test_a_key_works_up_to_its_last_millisecond_and_in_no_other_users_name(
    api: Api, world: World, cast: Cast
) -> None:
    _, lasting = await world.api_key(cast.bob, READ, expires_at=NOW + MILLISECOND)
    _, over = await world.api_key(cast.alice, READ, expires_at=NOW)
    assert await with_key(api, lasting).ask(ME) == {"me": {"id": str(cast.bob.id)}}
    assert await with_key(api, over).refusal(ME) == {"code": "UNAUTHENTICATED"}


async def test_a_key_that_has_ended_closes_connections(
    live: Api, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.graphql.subscriptions.session.RECHECK_SECONDS", 0.1)
    told = "The API key is not valid: it is unknown, revoked or expired, or its user is deactivated."
    row, key = await world.api_key(cast.bob, READ)
    async with signed_in(url_of(live), key) as client, following(url_of(live), key) as reader:
        await client.subscribe()
        await reader.begun()
        await client.nothing()
        await change(world, row, revoked_at=NOW)
        assert await client.end() == (4403, told)
        assert await reader.rest() == [f": 4403 {told}"]
    async with connected(url_of(live)) as client:
        await client.send(type="connection_init", payload={"authorization": f"Bearer {key}"})
        assert await client.end() == (4403, told)


async def test_an_event_is_sent_to_the_connections_of_a_user_whose_keys_are_valid_alone(
    live: Api, world: World, cast: Cast
) -> None:
    """They share the lookup of the user, but not that of the key."""
    lead = await world.lead(cast.alice, cast.team)
    row, revoked = await world.api_key(cast.bob, READ)
    _, valid = await world.api_key(cast.bob, READ)
    token = live.user(cast.bob).token
    async with (
        signed_in(url_of(live), revoked) as first,
        signed_in(url_of(live), valid) as second,
        signed_in(url_of(live), token) as third,
    ):
        for client in (first, second, third):
            await client.subscribe()
        await change(world, row, revoked_at=NOW)
        offers = await submit(live, cast, lead.id)
        for client in (second, third):
            assert (await client.next())["leadOffer"]["id"] == offers[str(cast.bob.id)]
        assert (await first.end())[0] == 4403


async def test_a_subscription_ends_when_its_key_expires(database_url: str, world: World, cast: Cast) -> None:
    now = NOW
    app = create_app(settings_for(database_url), clock=lambda: now)
    _, key = await world.api_key(cast.bob, READ, expires_at=NOW + timedelta(seconds=1))
    with live_server(app) as url:
        async with signed_in(url, key) as client:
            await client.subscribe()
            await client.nothing()
            now = NOW + timedelta(seconds=1)
            assert (await client.end())[0] == 4403


async def test_a_key_is_checked_by_the_statement_that_answers(api: Api, world: World, cast: Cast) -> None:
    _, key = await world.api_key(cast.bob, READ)
    statements = api.statements()
    await api.user(cast.bob).ask(ME)
    assert len(statements) == 1
    assert "api_key" not in statements[0], "requests with a token must not pay for keys"
    bob = with_key(api, key)
    taken = []
    for _ in range(3):
        statements.clear()
        await bob.ask(ME)
        await days_are_noted()
        taken.append(len(statements))
    assert taken == [3, 1, 1], "at first the key is found and the day noted"
    assert "api_keys" in statements[0]
    statements.clear()
    await bob.rest("GET", "/me")
    assert len(statements) == 1


async def test_the_day_of_use_is_written_once_a_day(
    database_url: str, database: Database, world: World, cast: Cast
) -> None:
    row, key = await world.api_key(cast.bob, READ)
    assert await used_on(database, row) is None
    now = NOW
    app = create_app(settings_for(database_url), clock=lambda: now)
    statements = statements_of(app.state.database)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http,
    ):
        bob = Api(http, settings_for(database_url), database, key)
        for now, written in (
            (NOW.replace(hour=0, minute=0), 1),
            (NOW, 0),
            (NOW.replace(hour=23, minute=59, second=59), 0),
            (NOW.replace(hour=0, minute=0) + timedelta(days=1), 1),
            (NOW + timedelta(days=1), 0),
            (NOW, 0),
        ):
            statements.clear()
            for _ in range(3):
                await bob.ask(ME)
                await bob.rest("GET", "/me")
            await days_are_noted()
            assert len([*filter(is_noting, statements)]) == written, now
    assert await used_on(database, row) == "2026-03-03"


async def test_another_process_does_not_write_the_day_again(
    database_url: str, database: Database, world: World, cast: Cast
) -> None:
    row, key = await world.api_key(cast.bob, READ)
    async with serving(settings_for(database_url)) as one, serving(settings_for(database_url)) as other:
        await with_key(one, key).ask(ME)
        await days_are_noted()
        statements = other.statements()
        await with_key(other, key).ask(ME)
        await days_are_noted()
    assert not any(map(is_noting, statements))
    assert await used_on(database, row) == "2026-03-02"


async def test_a_key_that_has_ended_is_not_noted_as_used(
    api: Api, database: Database, world: World, cast: Cast
) -> None:
    row, key = await world.api_key(cast.bob, READ, revoked_at=NOW)
    await with_key(api, key).refusal(ME)
    await days_are_noted()
    assert await used_on(database, row) is None


async def test_a_request_does_not_fail_because_the_day_cannot_be_written(
    api: Api, database: Database, world: World, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    row, key = await world.api_key(cast.bob, READ)
    with pytest.MonkeyPatch.context() as patch:

        def fail(_self: Database) -> Any:
            raise ApiError(Code.UNAVAILABLE, "The database is read-only.")

        patch.setattr(Database, "write", fail)
        assert await with_key(api, key).ask(ME) == {"me": {"id": str(cast.bob.id)}}
        await days_are_noted()
    assert row.prefix in caplog.text
    assert key not in caplog.text
    assert await used_on(database, row) is None
    async with serving(api.settings) as later:
        await with_key(later, key).ask(ME)
        await days_are_noted()
    assert await used_on(database, row) == "2026-03-02"


async def test_the_log_has_the_prefix_of_a_key_and_never_the_key(
    api: Api, world: World, cast: Cast, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    row, key = await world.api_key(cast.bob, READ)
    bob = with_key(api, key)
    capsys.readouterr()
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            await bob.ask(ME)
        await bob.rest("GET", "/me")
        await bob.refusal(CREATE_CONTACT)
        await with_key(api, f"{key}x").refusal(ME)
        metrics = (await api.http.get("/metrics")).text
        await change(world, row, revoked_at=NOW)
        await bob.refusal(ME)
    told = capsys.readouterr().err
    lines = [orjson.loads(line) for line in told.splitlines() if '"request"' in line]
    assert [line.get("key") for line in lines] == [row.prefix] * 4 + [None, row.prefix]
    assert [line.get("user_id") for line in lines] == [cast.bob.id] * 4 + [None, cast.bob.id]
    for text in (told, caplog.text, metrics):
        assert key not in text
        assert hash_key(key) not in text


async def test_an_unexpected_failure_does_not_log_the_key(
    api: Api, world: World, cast: Cast, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await world.api_key(cast.bob, READ)
    await with_key(api, key).ask(ME)

    async def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("broken")

    for broken, name in ((CompiledQuery, "fetch"), (Database, "fetch"), (ApiKeys, "find")):
        with monkeypatch.context() as patch, caplog.at_level(logging.DEBUG):
            patch.setattr(broken, name, fail)
            answers = [await with_key(api, key).post({"query": ME}), await with_key(api, key).rest("GET", "/me")]
        assert 500 in [answer.status_code for answer in answers]
        for text in (caplog.text, *(answer.text for answer in answers)):
            assert key not in text
            assert hash_key(key) not in text


async def test_requests_with_a_key_count_for_its_user(database_url: str, world: World, cast: Cast) -> None:
    _, one = await world.api_key(cast.bob, READ)
    _, other = await world.api_key(cast.bob, INTAKE)
    async with serving(settings_for(database_url, rate_limit_per_user="4/hour")) as api:
        bob = api.user(cast.bob)
        codes = [(await client.post({"query": ME})).status_code for client in (bob, with_key(api, one))]
        codes.append((await with_key(api, one).rest("GET", "/me")).status_code)
        codes.append((await with_key(api, other).rest("GET", "/me")).status_code)
        assert codes == [200, 200, 200, 403]
        for client in (bob, with_key(api, one), with_key(api, other)):
            assert (await client.post({"query": ME})).status_code == 429
        assert (await api.user(cast.alice).post({"query": ME})).status_code == 200


def authenticator(database: Database, **settings: str) -> Authenticator:
    return make_authenticator(database, settings_for("sqlite+aiosqlite:///unused.db", **settings), lambda: NOW)


async def test_a_key_in_an_address_must_be_for_intake_alone(database: Database, world: World, cast: Cast) -> None:
    admitting = authenticator(database)
    source = await world.source(cast.bob)
    row, key = await world.api_key(cast.bob, INTAKE, source_id=source.id)
    viewer = await admitting.admit_key(key, "192.0.2.1")
    assert (viewer.id, {*viewer.scopes}) == (cast.bob.id, {"intake"})
    assert viewer.key
    assert (viewer.key.id, viewer.key.prefix, viewer.key.source_id) == (row.id, key[:11], source.id)
    for scopes in ([READ], [READ, WRITE], [INTAKE, READ]):
        _, other = await world.api_key(cast.bob, *scopes)
        with pytest.raises(ApiError) as refused:
            await admitting.admit_key(other, None)
        assert refused.value.code is Code.FORBIDDEN
    await change(world, row, revoked_at=NOW)
    for wrong in (key, new_key(), "", "lo_", key[:-1]):
        with pytest.raises(ApiError) as refused:
            await admitting.admit_key(wrong, None)
        assert refused.value.code is Code.UNAUTHENTICATED


async def test_requests_with_a_key_in_the_address_count_for_the_key(
    database: Database, world: World, cast: Cast
) -> None:
    admitting = authenticator(database, rate_limit_per_intake_key="2/hour", rate_limit_per_user="1/hour")
    keys = [(await world.api_key(cast.bob, INTAKE))[1] for _ in range(2)]
    for key in keys * 2:
        await admitting.admit_key(key, "192.0.2.1")
    with pytest.raises(ApiError, match="the limit is 2 per 1 hour per key") as refused:
        await admitting.admit_key(keys[0], "192.0.2.2")
    assert refused.value.code is Code.RATE_LIMITED
    assert keys[0] not in str(refused.value.extensions)
    await admitting.admit(f"Bearer {keys[0]}", "192.0.2.1")


async def test_by_default_a_key_in_the_address_has_sixty_requests_a_minute(
    database: Database, world: World, cast: Cast
) -> None:
    admitting = authenticator(database)
    _, key = await world.api_key(cast.bob, INTAKE)
    for _ in range(60):
        await admitting.admit_key(key, None)
    with pytest.raises(ApiError, match="the limit is 60 per 1 minute per key"):
        await admitting.admit_key(key, None)


async def test_facts_about_keys_that_are_not_used_are_forgotten(database: Database, world: World, cast: Cast) -> None:
    keys = ApiKeys(database)
    row, key = await world.api_key(cast.bob, READ)
    known = await keys.find(key, NOW)
    await change(world, row, revoked_at=NOW)
    assert await keys.find(key, NOW) is known
    keys._known.clear()
    with pytest.raises(ApiError):
        await keys.find(key, NOW)
