"""WebSocket connections: authentication, limits and close codes."""

import asyncio
import json
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from websockets.exceptions import ConnectionClosed

from app.access.tokens import issue_token
from app.commands.users import deactivate_user
from app.db.change_feed import OfferChange
from app.db.engine import Database
from app.domain.enums import LeadOfferStatus
from app.graphql.subscriptions import hub, websocket
from app.graphql.subscriptions import session as session_module
from app.graphql.subscriptions.hub import Subscriber
from app.graphql.subscriptions.session import Session
from app.main import create_app
from tests.graphql.test_event_streams import following
from tests.support.api import SECRET, Api, settings_for
from tests.support.graphql_ws import CHANGED, Watchers, connected, signed_in, submit, url_of
from tests.support.live_server import live_server
from tests.support.node import needs_node, node
from tests.support.processes import server
from tests.support.world import NOW, Cast, World

DECLINE = "mutation ($id: ID!) { declineLeadOffer(id: $id) { leadOffer { id } } }"


def token_for(live: Api, cast: Cast, seconds: float) -> str:
    return issue_token(live.settings, cast.bob.id, "read", seconds / 3600, datetime.now(UTC))


@pytest.mark.parametrize(
    "payload",
    [None, {}, {"authorization": None}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp5"}, {"token": "x"}],
)
async def test_an_invalid_token_closes_the_connection_with_4403(live: Api, payload: Any) -> None:
    async with connected(url_of(live)) as client:
        await client.send(type="connection_init", payload=payload)
        assert (await client.end())[0] == 4403


async def test_a_token_that_is_no_longer_valid_closes_the_connection_with_4403(
    live: Api, cast: Cast, database: Database
) -> None:
    expired = token_for(live, cast, -1)
    good = token_for(live, cast, 60)
    async with database.write() as session:
        await deactivate_user(session, str(cast.bob.email), NOW)
    for token in (expired, good):
        async with connected(url_of(live)) as client:
            await client.send(type="connection_init", payload={"Authorization": f"Bearer {token}"})
            assert (await client.end())[0] == 4403


async def test_a_subscription_ends_with_its_token(live: Api, cast: Cast) -> None:
    async with signed_in(url_of(live), token_for(live, cast, 4)) as client:
        await client.subscribe()
        began = datetime.now(UTC)
        assert await client.end() == (4403, "The access token has expired.")
        assert datetime.now(UTC) - began < timedelta(seconds=20)  # on a busy machine; it is checked every 60


async def test_a_deactivated_user_receives_no_more_events(
    live: Api, cast: Cast, world: World, watch: Watchers, database: Database
) -> None:
    offers = await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
    alice = await watch(cast.alice)
    async with database.write() as session:
        await deactivate_user(session, str(cast.alice.email), NOW)
    await live.user(cast.bob).ask(DECLINE, id=offers[str(cast.bob.id)])
    assert await alice.end() == (4403, "The access token does not belong to an active user.")


async def test_a_deactivated_user_is_disconnected_even_without_an_event(
    live: Api, cast: Cast, watch: Watchers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "RECHECK_SECONDS", 0.1)
    charlie = await watch(cast.charlie)
    await charlie.nothing(0.3)
    async with database.write() as session:
        await deactivate_user(session, str(cast.charlie.email), NOW)
    assert (await charlie.end())[0] == 4403


async def test_a_connection_ends_when_its_address_belongs_to_another_user(
    live: Api, world: World, cast: Cast, watch: Watchers
) -> None:
    """The new user must not receive the changes of the earlier one, which another connection of theirs reads too."""
    claims = {"sub": cast.bob.email, "scope": "read", "exp": datetime.now(UTC) + timedelta(hours=1)}
    token = jwt.encode(claims, SECRET, "HS256")
    lead = await world.lead(cast.alice, cast.team)
    async with signed_in(url_of(live), token) as client, following(url_of(live), token) as reader:
        await reader.begun()
        await client.subscribe()
        bob = await watch(cast.bob)
        cast.bob.email, cast.charlie.email = None, cast.bob.email
        await world.add(cast.bob)
        await world.add(cast.charlie)
        await submit(live, cast, lead.id)
        assert (await bob.next())["leadOffer"]["user"] == {"id": str(cast.bob.id)}
        reason = "The e-mail address belongs to another user now. Connect again."
        with pytest.raises(ConnectionClosed):
            await client.receive()
        assert await client.end() == (4403, reason)
        assert await reader.rest() == [f": 4403 {reason}"]
    async with signed_in(url_of(live), token) as client:
        await client.send(id="1", type="subscribe", payload={"query": "{ me { id } }"})
        assert await client.next() == {"id": str(cast.charlie.id)}


async def test_other_subprotocols_are_refused(live: Api) -> None:
    async with connected(url_of(live), protocol="graphql-ws") as client:
        assert await client.end() == (4406, "Subprotocol not acceptable. Use graphql-transport-ws.")


async def test_a_client_that_sends_nothing_is_disconnected(live: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "INIT_TIME", timedelta(seconds=0.1))
    async with connected(url_of(live)) as client:
        assert (await client.end())[0] == 4408


async def test_operations_before_authentication_are_refused(live: Api) -> None:
    async with connected(url_of(live)) as client:
        await client.send(type="subscribe", id="1", payload={"query": "{ me { id } }"})
        assert (await client.end())[0] == 4401


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("{", 4400),
        ("[]", 4400),
        ("12", 4400),
        ("[" * 100_000, 4400),
        ('"\\ud800"', 4400),
        (b"\x00", 4400),
        ('{"type": "hello"}', 4400),
        ('{"type": 1}', 4400),
        ('{"type": "subscribe"}', 4400),
        ('{"type": "subscribe", "id": [], "payload": {"query": "{ me { id } }"}}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {"query": 1}}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {"query": "{ me { id } }", "variables": []}}', 4400),
        ('{"type": "connection_init", "payload": 1}', 4400),
        ('{"type": "connection_init"}', 4429),
    ],
)
async def test_an_invalid_message_closes_the_connection(
    live: Api, cast: Cast, watch: Watchers, sent: str | bytes, code: int
) -> None:
    client = await watch(cast.bob)
    await client.socket.send(sent)
    assert (await client.end())[0] == code


@pytest.mark.parametrize(
    "entries",
    [
        {"operationName": ""},
        {"operationName": None},
        {"variables": None},
        {"extensions": None},
        {"operationName": "", "variables": None, "extensions": None},
        {"operationName": "", "variables": {}, "extensions": {}},
    ],
)
async def test_an_empty_entry_of_subscribe_counts_as_not_given(
    live: Api, cast: Cast, world: World, watch: Watchers, entries: dict[str, Any]
) -> None:
    client = await watch(cast.bob)
    for query in ("{ me { id } }", "query Me { me { id } }"):
        await client.send(id="2", type="subscribe", payload={"query": query, **entries})
        assert (await client.receive())["payload"] == {"data": {"me": {"id": str(cast.bob.id)}}}
        assert (await client.receive())["type"] == "complete"

    await client.send(
        id="2", type="subscribe", payload={"query": "query A { me { id } } query B { me { id } }", **entries}
    )
    refused = await client.receive()
    assert (refused["type"], "operationName" in refused["payload"][0]["message"]) == ("error", True)

    query = "subscription Changed { leadOfferChanged { changedAt } }"
    await client.send(id="3", type="subscribe", payload={"query": query, **entries})
    await client.send(type="ping")
    assert await client.receive() == {"type": "pong"}
    await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
    assert {(await client.receive())["id"] for _ in range(2)} == {"1", "3"}


async def test_an_operation_id_cannot_be_used_twice_at_a_time(live: Api, cast: Cast, watch: Watchers) -> None:
    client = await watch(cast.bob)
    await client.send(id="1", type="subscribe", payload={"query": "subscription { leadOfferChanged { changedAt } }"})
    assert (await client.end())[0] == 4409


async def test_subscriptions_count_as_requests(database_url: str, cast: Cast) -> None:
    settings = settings_for(database_url, rate_limit_per_user="3/minute")
    token = issue_token(settings, cast.bob.id, "read", 1, datetime.now(UTC))
    with live_server(create_app(settings)) as url:
        async with signed_in(url, token) as client:
            await client.subscribe(number=1)
            await client.subscribe(number=2)
            await client.nothing(0.1)
            await client.send(id="3", type="subscribe", payload={"query": CHANGED})
            code, reason = await client.end()
            assert (code, reason.partition(".")[0]) == (1013, "Too many requests: the limit is 3 per 1 minute per user")
        async with connected(url) as client:
            await client.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
            assert (await client.end())[0] == 1013


async def test_the_operations_of_a_connection_are_limited(database_url: str, cast: Cast) -> None:
    settings = settings_for(database_url, max_operations_per_connection=3)
    token = issue_token(settings, cast.bob.id, "read", 1, datetime.now(UTC))
    with live_server(create_app(settings)) as url:
        async with signed_in(url, token) as client, signed_in(url, token) as other:
            for number in (1, 2, 3):
                await client.subscribe(number=number)
            await client.send(id="4", type="subscribe", payload={"query": "{ me { id } }"})
            message = await client.receive()
            assert (message["id"], message["type"]) == ("4", "error")
            of_operations = {"counted": 4, "allowed": 3, "what": "operations of one connection"}
            assert message["payload"][0]["extensions"] == {"code": "QUERY_TOO_COMPLEX", **of_operations}
            assert "already runs 3 operations" in message["payload"][0]["message"]
            await other.subscribe(number=1)

            await client.send(id="3", type="complete")
            await client.send(id="5", type="subscribe", payload={"query": "{ me { id } }"})
            assert (await client.receive())["type"] == "next"


async def test_the_time_limit_of_an_operation_is_that_of_http(
    database_url: str, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_arguments: object, **_options: object) -> None:
        await asyncio.sleep(100)

    monkeypatch.setattr("app.graphql.fields.fetch_page", never)
    monkeypatch.setattr("app.graphql.queries.fetch_page", never)
    settings = settings_for(database_url, request_seconds=0.2)
    token = issue_token(settings, cast.bob.id, "read", 1, datetime.now(UTC))
    with live_server(create_app(settings)) as url:
        async with signed_in(url, token) as client:
            await client.send(id="1", type="subscribe", payload={"query": "{ leadOffers { total } }"})
            message = await client.receive()
            assert (message["id"], message["type"]) == ("1", "error")
            assert message["payload"][0]["extensions"]["code"] == "TIMEOUT"


LEADS = " ".join(f"l{i}: lead {{ contact {{ firstName }} }}" for i in range(30))
MUCH = f"subscription {{ leadOfferChanged {{ leadOffer {{ {LEADS} }} }} }}"
"""A subscription whose events repeat a long text thirty times."""


async def test_a_client_that_does_not_read_is_disconnected_and_delays_nobody(
    live: Api, cast: Cast, world: World, watch: Watchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "SEND_SECONDS", 0.5)
    close, closed = Session.close, asyncio.Event()
    loop = asyncio.get_running_loop()

    def note(self: Session, code: int, reason: str) -> None:
        loop.call_soon_threadsafe(closed.set)
        close(self, code, reason)

    monkeypatch.setattr(Session, "close", note)
    other = await watch(cast.alice)
    contact = await world.contact(cast.alice, first_name="x" * 50_000)
    async with signed_in(url_of(live), live.user(cast.bob).token, max_queue=1, max_size=None) as slow:
        await slow.subscribe(MUCH)
        for _ in range(100):  # until the buffers of the machine are full
            if closed.is_set():
                break
            await submit(live, cast, (await world.lead(cast.alice, cast.team, contact)).id)
            await other.next()
        await asyncio.wait_for(closed.wait(), 20)  # meanwhile the client does not read
        code, reason = await slow.end()
    assert code == 1013
    assert reason.startswith("The client reads too slowly.")


async def test_a_subscriber_with_too_many_pending_changes_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MAX_PENDING", 2)
    closed: list[int] = []
    subscriber = Subscriber(1, None, lambda code, _reason: closed.append(code))
    for offer_id in (1, 2, 2, 1):
        subscriber.put(OfferChange(offer_id, 1, LeadOfferStatus.SENT, NOW))
    assert closed == []
    subscriber.put(OfferChange(3, 1, None, NOW))
    assert closed == [1013]


async def test_pending_changes_of_one_offer_are_merged() -> None:
    later = NOW + timedelta(seconds=1)
    subscriber = Subscriber(1, None, lambda *_: None)
    for change in (OfferChange(1, 1, None, NOW), OfferChange(2, 1, None, NOW)):
        subscriber.put(change)
    subscriber.put(OfferChange(1, 1, LeadOfferStatus.SCHEDULED, later))
    assert await subscriber.next() == OfferChange(1, 1, None, later)
    assert await subscriber.next() == OfferChange(2, 1, None, NOW)


@pytest.mark.process
async def test_a_server_that_shuts_down_closes_its_connections_with_1012(
    database_url: str, live: Api, cast: Cast
) -> None:
    with ExitStack() as running:
        url = running.enter_context(server(database_url))
        async with signed_in(url, live.user(cast.bob).token) as client:
            await client.subscribe()
            stopping = asyncio.create_task(asyncio.to_thread(running.close))
            assert (await client.end())[0] == 1012
        await stopping


@needs_node
async def test_the_npm_client_reconnects_with_a_fresh_token(live: Api, cast: Cast, world: World) -> None:
    tokens = json.dumps([token_for(live, cast, 6), live.user(cast.bob).token])
    following = asyncio.create_task(node("graphql_ws.mjs", url_of(live).replace("http", "ws", 1) + "/graphql", tokens))
    async with asyncio.timeout(60):
        while not following.done():
            await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
            await asyncio.wait([following], timeout=0.3)
    seen = await following
    assert seen["closed"] == [4403]
    assert seen["change"]["data"]["leadOfferChanged"]["leadOffer"]["user"]["id"] == str(cast.bob.id)
