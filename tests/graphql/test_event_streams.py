"""Subscriptions as server-sent events: the format of a stream, who gets one, and how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from app.access.tokens import issue_token
from app.graphql.subscriptions import event_stream
from app.graphql.subscriptions.event_stream import EventStream
from app.graphql.subscriptions.session import Session
from tests.process.test_shutdown import end, running
from tests.support.api import Api
from tests.support.graphql_ws import CHANGED, SECONDS, submit, url_of
from tests.support.node import needs_node, node
from tests.support.processes import serve
from tests.support.world import Cast, World

EVENTS = {"Accept": "text/event-stream"}


@dataclass
class Reader:
    """The stream of one subscription."""

    response: httpx2.Response
    lines: AsyncIterator[str]

    async def line(self) -> str | None:
        """The next line; None at the end."""
        async with asyncio.timeout(SECONDS):
            return await anext(self.lines, None)

    async def begun(self) -> None:
        """Return when the subscription has begun, which the first comment says."""
        assert await self.line() == ":"

    async def event(self) -> tuple[str, Any]:
        """The name and the data of the next event, without the comments before it."""
        while not (line := await self.line() or "").startswith("event: "):
            pass
        data = await self.line() or ""
        return line.removeprefix("event: "), json.loads(data.removeprefix("data:").strip() or "null")

    async def rest(self) -> list[str]:
        """All lines up to the end, without empty lines and heartbeats."""
        found = []
        while (line := await self.line()) is not None:
            found += [line] if line.strip(":") else []
        return found


@asynccontextmanager
async def following(url: str, token: str | None, query: str = CHANGED, **variables: Any) -> AsyncIterator[Reader]:
    body = {"query": query, "variables": variables}
    headers = EVENTS | {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(timeout=SECONDS) as http,
        http.stream("POST", f"{url}/graphql", json=body, headers=headers) as response,
    ):
        yield Reader(response, response.aiter_lines())


async def test_each_change_is_sent_as_an_event(live: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    async with following(url_of(live), live.user(cast.bob).token, leadId=lead.id) as reader:
        assert reader.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        await reader.begun()
        offers = await submit(live, cast, lead.id)
        name, told = await reader.event()
        assert name == "next"
        change = told["data"]["leadOfferChanged"]
        assert (change["previousStatus"], change["leadOffer"]["id"]) == (None, offers[str(cast.bob.id)])


async def test_lines_end_with_lf(live: Api, world: World, cast: Cast) -> None:
    """urql does not accept CRLF."""
    lead = await world.lead(cast.alice, cast.team)
    headers = EVENTS | {"Authorization": f"Bearer {live.user(cast.bob).token}"}
    async with live.http.stream("POST", "/graphql", json={"query": CHANGED}, headers=headers) as response:
        parts = response.aiter_bytes()
        assert await anext(parts) == b":\n\n"
        await submit(live, cast, lead.id)
        event = await anext(parts)
    assert event.startswith(b'event: next\ndata: {"data"')
    assert event.endswith(b"}\n\n")
    assert b"\r" not in event


async def test_a_stranger_receives_heartbeats_only(
    live: Api, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.2)
    async with following(url_of(live), live.user(cast.charlie).token) as reader:
        await reader.begun()
        await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
        assert {await reader.line() for _ in range(8)} == {":", ""}


@pytest.mark.parametrize(
    "query",
    ["subscription { leadOfferChanged { nonsense } }", "subscription { leadOfferChanged(leadId: {}) { changedAt } }"],
)
async def test_errors_of_the_document_are_sent_as_a_result(live: Api, cast: Cast, query: str) -> None:
    async with following(url_of(live), live.user(cast.bob).token, query) as reader:
        name, told = await reader.event()
        assert (name, "data" in told, bool(told["errors"][0]["extensions"]["code"])) == ("next", False, True)
        assert await reader.event() == ("complete", None)
        assert await reader.rest() == []


async def test_subscribing_needs_the_scope_read(live: Api, cast: Cast) -> None:
    async with following(url_of(live), live.user(cast.bob, "write").token) as reader:
        _, told = await reader.event()
        assert told["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_an_invalid_token_gets_no_stream(live: Api, cast: Cast) -> None:
    async with following(url_of(live), "nonsense") as reader:
        assert reader.response.status_code == 401
        assert reader.response.headers["content-type"].startswith("application/")


@pytest.mark.parametrize(
    ("accept", "status", "media_type"),
    [
        (
            "application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
            200,
            "application/gr",
        ),
        ("text/event-stream, application/json", 200, "application/json"),
        ("text/event-stream;q=0", 406, "application/json"),
        ("multipart/mixed", 406, "application/json"),
        ("*/*", 200, "application/json"),
    ],
)
async def test_queries_are_answered_with_json_if_the_client_accepts_it(
    live: Api, cast: Cast, accept: str, status: int, media_type: str
) -> None:
    answer = await live.user(cast.bob).post({"query": "{ me { id } }"}, Accept=accept)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(media_type)


SUBMIT_NOTHING = 'mutation { submitLeadOffers(leadId: "999") { createdCount } }'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": "{ me { id } }"}, None),
        ({"query": "query A { me { id } } query B { me { email } }", "operationName": "A"}, None),
        ({"query": 'mutation { setQuietHours(start: "22:00", end: "06:00") { me { id } } }'}, None),
        ({"query": SUBMIT_NOTHING}, "NOT_FOUND"),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "{ me {"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ leadOffers(limit: -1) { total } }"}, "BAD_USER_INPUT"),
        ({"query": "query ($n: Int!) { leadOffers(limit: $n) { total } }"}, "BAD_USER_INPUT"),
        ({"query": "{ " + " ".join(f"a{i}: me {{ id }}" for i in range(31)) + " }"}, "QUERY_TOO_COMPLEX"),
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}, "PERSISTED_QUERY_NOT_FOUND"),
    ],
)
async def test_any_operation_is_one_event_for_a_client_that_accepts_nothing_else(
    live: Api, cast: Cast, body: dict[str, Any], code: str | None
) -> None:
    bob = live.user(cast.bob)
    streamed, plain = await bob.post(body, **EVENTS), await bob.post(body, Accept="application/json")
    assert (streamed.status_code, streamed.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    first, second, rest = streamed.text.split("\n\n")
    assert (second, rest) == ("event: complete\ndata:", "")
    name, data = first.split("\n")
    assert name == "event: next"
    result = json.loads(data.removeprefix("data: "))
    assert result == plain.json()
    assert [error["extensions"]["code"] for error in result.get("errors", ())] == ([code] if code else [])


async def test_a_query_by_get_is_one_event_as_well(live: Api, cast: Cast) -> None:
    headers = EVENTS | {"Authorization": f"Bearer {live.user(cast.bob).token}"}
    answer = await live.http.get("/graphql", params={"query": "{ me { id } }"}, headers=headers)
    assert (
        answer.text == f'event: next\ndata: {{"data":{{"me":{{"id":"{cast.bob.id}"}}}}}}\n\nevent: complete\ndata:\n\n'
    )
    mutation = await live.http.get("/graphql", params={"query": SUBMIT_NOTHING}, headers=headers)
    assert (mutation.status_code, mutation.json()["errors"][0]["extensions"]["code"]) == (405, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("body", "token", "status"), [({"query": "{ me { id } }"}, "nonsense", 401), ({"query": 1}, None, 400)]
)
async def test_a_request_that_is_refused_has_its_http_status(
    live: Api, cast: Cast, body: Any, token: str | None, status: int
) -> None:
    bearer = token or live.user(cast.bob).token
    answer = await live.http.post("/graphql", json=body, headers=EVENTS | {"Authorization": f"Bearer {bearer}"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json()["errors"]


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream;q=0, application/json"])
async def test_streams_are_for_clients_that_accept_them_by_name(live: Api, cast: Cast, accept: str) -> None:
    answer = await live.user(cast.bob).post({"query": CHANGED}, Accept=accept)
    assert answer.status_code == 400
    assert "text/event-stream" in answer.json()["errors"][0]["message"]


async def test_a_token_that_expires_ends_the_stream(live: Api, cast: Cast) -> None:
    """There is no `complete`, so that clients connect again."""
    token = issue_token(live.settings, cast.bob.id, "read", 4 / 3600, datetime.now(UTC))
    async with following(url_of(live), token) as reader:
        await reader.begun()
        assert await reader.rest() == [": 4403 The access token has expired."]


async def test_a_client_that_does_not_read_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SEND_SECONDS", 0.05)

    async def stuck(_message: Any) -> None:
        await asyncio.sleep(SECONDS)

    unused: Any = None
    stream = EventStream(Session(unused), unused)
    await stream._send(stuck, b":\n\n")
    assert stream.session.closing.result()[0] == 1013


@pytest.mark.process
async def test_a_server_that_shuts_down_ends_its_streams(database_url: str, live: Api, cast: Cast) -> None:
    process, url = serve(database_url)
    with running(process):
        async with following(url, live.user(cast.bob).token) as reader:
            await reader.begun()
            ending = asyncio.create_task(end(process))
            assert await reader.rest() == [
                ": 1012 The server is shutting down. Subscribe again, then query for the current state."
            ]
        assert await ending == 0


@needs_node
async def test_the_npm_client_reconnects_with_a_fresh_token(live: Api, cast: Cast, world: World) -> None:
    now = datetime.now(UTC)
    short = issue_token(live.settings, cast.bob.id, "read", timedelta(seconds=6) / timedelta(hours=1), now)
    tokens = json.dumps([short, live.user(cast.bob).token])
    seen = asyncio.create_task(node("graphql_sse.mjs", url_of(live) + "/graphql", tokens))
    async with asyncio.timeout(SECONDS):
        while not seen.done():
            await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
            await asyncio.wait([seen], timeout=0.3)
    told = await seen
    assert told["connected"] == [False, True]
    assert told["change"]["data"]["leadOfferChanged"]["leadOffer"]["user"]["id"] == str(cast.bob.id)
