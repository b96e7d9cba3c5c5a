"""Many subscriptions of one user: how many they may be, what they share, and how they take turns."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from app.access.tokens import issue_token
from app.errors import ApiError, Code
from app.graphql.subscriptions import shared_reads
from app.graphql.subscriptions.hub import Turns
from app.graphql.subscriptions.operation_limits import RunningOperations
from app.graphql.subscriptions.shared_reads import SharedReads
from app.main import create_app
from tests.graphql.test_event_streams import following
from tests.support.api import Api, settings_for
from tests.support.graphql_ws import CHANGED, Client, Watchers, signed_in, submit, url_of
from tests.support.live_server import live_server
from tests.support.world import Cast, World

RESOLVED = """
subscription {
  leadOfferChanged { leadOffer { id team { id name warnings { message } members(limit: 2) { total data { id } } } } }
}
"""
"""A subscription with a field that only its resolver can answer."""

PAGED = """
subscription ($limit: Int) {
  leadOfferChanged { leadOffer { id team { members(limit: $limit) { limit data { id } } } } }
}
"""


async def statements_of_an_event(live: Api, cast: Cast, world: World, clients: list[Client]) -> list[str]:
    """Submit a lead; return the statements of the submit and of its event for these clients, in no order."""
    lead = await world.lead(cast.alice, cast.team)
    statements = live.statements()
    await submit(live, cast, lead.id)
    for client in clients:
        await client.next()
    return [" ".join(statement.split()) for statement in statements]


@pytest.mark.parametrize("query", [CHANGED, RESOLVED, PAGED])
async def test_connections_of_one_user_share_every_lookup(
    live: Api, cast: Cast, world: World, watch: Watchers, query: str
) -> None:
    alone = await watch(cast.bob, query=query)
    one = await statements_of_an_event(live, cast, world, [alone])
    others = [await watch(cast.bob, query=query) for _ in range(9)]
    ten = await statements_of_an_event(live, cast, world, [alone, *others])
    assert sorted(ten) == sorted(one)

    token = live.user(cast.bob, "read").token
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(following(url_of(live), token, query)) for _ in range(3)]
        for stream in streams:
            await stream.begun()
        mixed = await statements_of_an_event(live, cast, world, [alone, *others])
        for stream in streams:
            assert (await stream.event())[0] == "next"
    of_another_scope = {" ".join(statement.split()) for statement in mixed}
    assert of_another_scope == set(one)
    assert len(mixed) <= len(one) + 3  # what the response shows may depend on the scopes of the token


async def test_events_differ_by_document_and_variables(live: Api, cast: Cast, world: World, watch: Watchers) -> None:
    clients = [await watch(cast.bob, query=PAGED, limit=limit) for limit in (1, 2, 1, 0)]
    await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
    members = [(await client.next())["leadOffer"]["team"]["members"] for client in clients]
    assert [page["limit"] for page in members] == [1, 2, 1, 0]
    assert [len(page["data"]) for page in members] == [1, 1, 1, 0]


async def test_users_share_nothing(live: Api, cast: Cast, world: World, watch: Watchers) -> None:
    query = "subscription { leadOfferChanged { leadOffer { id lead { contact { email } } } } }"
    clients = [await watch(user, query=query) for user in (cast.alice, cast.bob, cast.alice)]
    await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
    contacts = [(await client.next())["leadOffer"]["lead"]["contact"] for client in clients]
    assert contacts[0] == contacts[2] != contacts[1]


async def test_a_client_that_goes_does_not_take_a_lookup_from_the_others() -> None:
    reads, started, ends = SharedReads(), 0, asyncio.Event()

    async def read() -> int:
        nonlocal started
        started += 1
        await ends.wait()
        return 7

    tasks = [asyncio.create_task(reads.once("key", read)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    ends.set()
    assert await asyncio.gather(*tasks[1:]) == [7, 7]
    assert tasks[0].cancelled()
    assert started == 1


async def test_a_failed_lookup_fails_for_each_subscription() -> None:
    reads = SharedReads()

    async def fail() -> None:
        raise ApiError(Code.UNAVAILABLE, "it failed")

    results = await asyncio.gather(*(reads.once("key", fail) for _ in range(2)), return_exceptions=True)
    assert [str(error) for error in results] == ["it failed"] * 2


async def test_old_reads_are_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = SharedReads()
    assert reads.unless_outdated() is reads
    monkeypatch.setattr(shared_reads, "OUTDATED_SECONDS", 0)
    assert reads.unless_outdated() is not reads


async def test_other_work_is_done_between_two_turns() -> None:
    turns, done = Turns(), []

    async def event(number: int) -> None:
        await turns.wait()
        done.append(number)

    tasks = [asyncio.create_task(event(number)) for number in range(100)]
    seen = []
    while len(done) < 99:
        await asyncio.sleep(0)
        seen.append(len(done))
    assert all(after - before <= 1 for before, after in pairwise(seen))
    assert done == list(range(len(done)))
    await asyncio.gather(*tasks)


async def test_a_cancelled_turn_is_skipped() -> None:
    turns = Turns()
    tasks = [asyncio.create_task(turns.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.wait_for(asyncio.gather(*tasks[1:]), 5)


async def test_the_operations_of_a_user_are_limited_on_all_connections_together(database_url: str, cast: Cast) -> None:
    settings = settings_for(database_url, max_operations_per_user=3)

    def token(user: Any) -> str:
        return issue_token(settings, user.id, "read write", 1, datetime.now(UTC))

    with live_server(create_app(settings)) as url:
        async with signed_in(url, token(cast.bob)) as one, signed_in(url, token(cast.bob)) as two:
            await one.subscribe(number=1)
            await one.subscribe(number=2)
            async with following(url, token(cast.bob)) as stream:
                await stream.begun()
                await two.send(id="4", type="subscribe", payload={"query": CHANGED})
                refused = await two.receive()
                assert (refused["id"], refused["type"]) == ("4", "error")
                error = refused["payload"][0]
                assert error["extensions"] == {"code": "RATE_LIMITED", "retryAfter": 10}
                assert "already run 3 operations" in error["message"]

                async with following(url, token(cast.bob)) as another:
                    assert another.response.status_code == 429
                    assert another.response.headers["retry-after"] == "10"
                async with following(url, token(cast.alice)) as hers:
                    await hers.begun()

            while True:  # until the server has noticed that the stream is closed
                await two.send(id="5", type="subscribe", payload={"query": "{ me { id } }"})
                if (await two.receive())["type"] == "next":
                    break
            assert await two.receive() == {"id": "5", "type": "complete"}


def test_a_failed_operation_is_not_counted_any_more() -> None:
    running = RunningOperations(1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), running.count(1):
            raise ZeroDivisionError
    with running.count(1), running.count(2), pytest.raises(ApiError), running.count(1):
        pass
    with running.count(1):
        pass
    assert not running._running
