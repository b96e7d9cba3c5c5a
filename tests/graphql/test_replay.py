"""replaySince: a new subscription receives the changes since a time, over WebSockets and event streams."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.db.change_feed import LEAD_CHANNEL, OfferChange
from app.db.models import Lead, User
from app.domain.enums import LeadOfferStatus
from app.domain.timestamps import format_instant, utc_now
from app.errors import ApiError
from app.graphql.subscriptions.close_codes import CloseCode
from app.graphql.subscriptions.hub import MAX_PENDING, Subscriber, Subscribers, Topic, Turns
from app.graphql.subscriptions.recent_changes import MARGIN_SECONDS
from app.graphql.subscriptions.recipients import Groups, Recipients
from tests.graphql.test_event_streams import following
from tests.support.api import Api
from tests.support.graphql_ws import Client, Watchers, signed_in, submit, url_of
from tests.support.waiting import until
from tests.support.world import NOW, Cast, World

OFFERS = """
subscription ($leadId: ID, $since: DateTime) {
  leadOfferChanged(leadId: $leadId, replaySince: $since) { previousStatus leadOffer { id status } }
}
"""
LEADS = """
subscription ($teamId: ID, $since: DateTime) {
  leadChanged(teamId: $teamId, replaySince: $since) { isNew lead { id claimedBy { id } } }
}
"""
CLAIM = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"
RELEASE = "mutation ($id: ID!) { releaseLead(id: $id) { lead { id } } }"
RECIPIENTS = "FROM lead_offers JOIN users"

Next = Callable[[], Awaitable[dict[str, Any]]]
Open = Callable[..., AbstractAsyncContextManager[Next]]


@pytest.fixture(params=["WebSocket", "event stream"])
def subscribed(request: pytest.FixtureRequest, live: Api) -> Open:
    """A function that subscribes, and gives a function that returns the next result. By both transports."""

    @asynccontextmanager
    async def over_websocket(token: str | None, query: str, **variables: Any) -> AsyncIterator[Next]:
        async with signed_in(url_of(live), token) as client:
            await client.send(id="1", type="subscribe", payload={"query": query, "variables": variables})

            async def result() -> dict[str, Any]:
                message = await client.receive()
                payload = message["payload"]
                return {"errors": payload} if message["type"] == "error" else payload

            yield result

    @asynccontextmanager
    async def over_stream(token: str | None, query: str, **variables: Any) -> AsyncIterator[Next]:
        async with following(url_of(live), token, query, **variables) as stream:

            async def result() -> dict[str, Any]:
                return dict((await stream.event())[1])

            yield result

    return over_websocket if request.param == "WebSocket" else over_stream


def ago(seconds: float) -> str:
    return format_instant(utc_now() - timedelta(seconds=seconds))


async def received(watcher: Client, lead: Lead, claimed_by: User | None = None) -> None:
    """Wait until the server has received the last change: this subscription to leads reports the lead as it is then."""
    holder = claimed_by and {"id": str(claimed_by.id)}
    while (await watcher.next())["lead"] != {"id": str(lead.id), "claimedBy": holder}:
        pass


@pytest.mark.usefixtures("_has_run_for_a_minute")
async def test_the_changes_before_the_subscription_come_first(
    live: Api, cast: Cast, world: World, watch: Watchers, subscribed: Open
) -> None:
    """Nobody was subscribed to offers when they changed. Each is one event, and shows the offer as it is now."""
    watcher = await watch(cast.alice, query=LEADS)
    leads = [await world.lead(cast.alice, cast.team) for _ in range(2)]
    offers = [(await submit(live, cast, lead.id))[str(cast.bob.id)] for lead in leads]
    await live.user(cast.bob).ask(CLAIM, id=offers[0])
    await received(watcher, leads[0], cast.bob)
    async with subscribed(live.user(cast.bob).token, OFFERS, since=ago(30)) as result:
        changes = [(await result())["data"]["leadOfferChanged"] for _ in range(2)]
        assert {change["leadOffer"]["id"]: change["leadOffer"]["status"] for change in changes} == {
            offers[0]: "CLAIMED",
            offers[1]: "SCHEDULED",
        }
        assert [change["previousStatus"] for change in changes] == [None, None]
        await live.user(cast.bob).ask(RELEASE, id=leads[0].id)
        change = (await result())["data"]["leadOfferChanged"]
        assert (change["previousStatus"], change["leadOffer"]["status"]) == ("CLAIMED", "DECLINED")


@pytest.mark.usefixtures("_has_run_for_a_minute")
async def test_a_server_listens_before_anybody_subscribes(live: Api, cast: Cast, world: World) -> None:
    async def listens() -> bool:
        """PostgreSQL notifies the server. On SQLite, the server notes its changes itself."""
        statement = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE :listen AND datname = current_database()"
        async with world.database.read() as session:
            connection = await session.connection()
            return bool(await connection.scalar(text(statement), {"listen": f"LISTEN%{LEAD_CHANNEL}%"}))

    if world.database.is_postgresql:
        await until(listens)
    lead = await world.lead(cast.alice, cast.team)
    await submit(live, cast, lead.id)

    async def is_replayed() -> bool:
        async with signed_in(url_of(live), live.user(cast.bob).token) as client:
            await client.subscribe(OFFERS, since=ago(60))
            return not await client.is_silent(0.5)

    await until(is_replayed)


@pytest.mark.usefixtures("_has_run_for_a_minute")
async def test_leads_are_replayed_as_well(
    live: Api, cast: Cast, world: World, watch: Watchers, subscribed: Open
) -> None:
    watcher = await watch(cast.alice, query=LEADS)
    lead = await world.lead(cast.alice, cast.team)
    await submit(live, cast, lead.id)
    await received(watcher, lead)
    for team_id in (None, cast.team.id):
        async with subscribed(live.user(cast.alice).token, LEADS, since=ago(30), teamId=team_id) as result:
            assert (await result())["data"]["leadChanged"]["lead"]["id"] == str(lead.id)


@pytest.mark.usefixtures("_has_run_for_a_minute")
async def test_a_viewer_receives_what_they_can_see_now(live: Api, cast: Cast, world: World, watch: Watchers) -> None:
    dora = await world.user("Dora")
    await world.member(cast.team, dora, rank=1)
    other = await world.team(cast.alice)
    lead = await world.lead(cast.alice, cast.team)
    watcher = await watch(cast.alice, query=LEADS)
    offers = await submit(live, cast, lead.id)
    await live.user(cast.bob).ask(CLAIM, id=offers[str(cast.bob.id)])
    await received(watcher, lead, cast.bob)

    alice, bob, hers = [await watch(user, query=OFFERS, since=ago(30)) for user in (cast.alice, cast.bob, dora)]
    assert {(await alice.next())["leadOffer"]["id"] for _ in range(2)} == {*offers.values()}
    assert (await bob.next())["leadOffer"]["id"] == offers[str(cast.bob.id)]
    assert (await hers.next())["leadOffer"] == {"id": offers[str(dora.id)], "status": "CANCELLED"}
    held = await watch(cast.bob, query=LEADS, since=ago(30))
    assert (await held.next())["lead"] == {"id": str(lead.id), "claimedBy": {"id": str(cast.bob.id)}}
    silent = [
        await watch(cast.charlie, query=OFFERS, since=ago(30)),
        await watch(cast.charlie, query=LEADS, since=ago(30)),
        await watch(dora, query=LEADS, since=ago(30)),  # her offer is cancelled, so the lead does not exist for her
        await watch(cast.bob, query=OFFERS, since=ago(30), leadId=lead.id + 1),
        await watch(cast.alice, query=LEADS, since=ago(30), teamId=other.id),
        await watch(cast.bob, query=OFFERS, since=None),
        await watch(cast.bob, query=OFFERS),
    ]
    for client in (alice, bob, hers, held, *silent):
        await client.nothing(0.1)


@pytest.mark.usefixtures("_has_run_for_a_minute")
async def test_a_replay_takes_one_statement_and_none_if_nothing_has_changed(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    statements = live.statements()
    await watch(cast.bob, query=OFFERS, since=ago(30))
    assert [one for one in statements if RECIPIENTS in " ".join(one.split())] == []

    watcher = await watch(cast.alice, query=LEADS)
    leads = [await world.lead(cast.alice, cast.team) for _ in range(3)]
    for lead in leads:
        await submit(live, cast, lead.id)
    await received(watcher, leads[-1])
    statements.clear()
    client = await watch(cast.bob, query=OFFERS, since=ago(30))
    for _ in range(3):
        await client.next()
    await client.nothing(0.1)
    assert len([one for one in statements if RECIPIENTS in " ".join(one.split())]) == 1


@pytest.mark.parametrize("query", [OFFERS, LEADS])
@pytest.mark.parametrize(
    ("since", "message"),
    [
        ("1899-12-31T23:59:59Z", "replaySince: is outside the years 1900 to 2200 in UTC"),
        ("2201-01-01", "replaySince: is outside the years 1900 to 2200 in UTC"),
    ],
)
async def test_the_time_is_bounded(
    live: Api, cast: Cast, subscribed: Open, query: str, since: str, message: str
) -> None:
    async with subscribed(live.user(cast.bob).token, query, since=since) as result:
        (error,) = (await result())["errors"]
    assert error["message"] == message
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "replaySince"}


@pytest.mark.parametrize("since", ["yesterday", 5, True, {}, "2026-02-30"])
async def test_what_is_no_time_is_named(live: Api, cast: Cast, subscribed: Open, since: Any) -> None:
    async with subscribed(live.user(cast.bob).token, OFFERS, since=since) as result:
        (error,) = (await result())["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "replaySince"}


@pytest.mark.parametrize("query", [OFFERS, LEADS])
@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (50, "The server has not received all changes since replaySince."),
        (70, "replaySince is over 60 seconds ago."),
        (-10, "replaySince is in the future."),
    ],
)
async def test_a_server_that_may_have_missed_changes_says_so(
    live: Api, cast: Cast, subscribed: Open, query: str, seconds: float, reason: str
) -> None:
    async with subscribed(live.user(cast.bob).token, query, since=ago(seconds)) as result:
        (error,) = (await result())["errors"]
    assert error["extensions"] == {"code": "CHANGES_MISSED"}
    assert error["message"] == f"{reason} Subscribe without replaySince, then query for the current state."


@pytest.mark.usefixtures("_has_run_for_a_minute")
async def test_what_changes_after_a_query_is_replayed(live: Api, cast: Cast, world: World, watch: Watchers) -> None:
    """However long the subscription takes to arrive. Earlier changes stay out."""
    bob, watcher = live.user(cast.bob), await watch(cast.alice, query=LEADS)
    before, after = [await world.lead(cast.alice, cast.team) for _ in range(2)]
    await submit(live, cast, before.id)
    await received(watcher, before)
    await asyncio.sleep(MARGIN_SECONDS + 0.1)
    now = (await bob.ask("{ now leadOffers { total } }"))["now"]
    offers = await submit(live, cast, after.id)
    await received(watcher, after)
    await asyncio.sleep(MARGIN_SECONDS + 0.1)
    late = await watch(cast.bob, query=OFFERS, since=now)
    assert (await late.next())["leadOffer"]["id"] == offers[str(cast.bob.id)]
    await late.nothing(0.1)


async def test_a_client_goes_on_after_a_refusal(live: Api, cast: Cast, world: World) -> None:
    async with signed_in(url_of(live), live.user(cast.bob).token) as client:
        await client.send(id="1", type="subscribe", payload={"query": OFFERS, "variables": {"since": ago(60)}})
        assert (await client.receive())["type"] == "error"
        await client.subscribe(OFFERS, number=2)
        offers = await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
        assert (await client.next())["leadOffer"]["id"] == offers[str(cast.bob.id)]


class Routed:
    """A topic whose subscribers see every offer. `calls` has the offers and users of each search for recipients."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], list[int]]] = []
        self.is_searching = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.topic: Topic[OfferChange] = Topic(self._route, Turns(), lambda: NOW)
        self.closed: list[int] = []

    async def _route(
        self, changes: Mapping[int, OfferChange], subscribers: Subscribers[OfferChange]
    ) -> tuple[Recipients, Groups]:
        self.calls.append((sorted(changes), sorted(subscribers)))
        self.is_searching.set()
        await self.goes_on.wait()
        return {offer_id: [*subscribers] for offer_id in changes}, {}

    def subscribe(
        self, user_id: int, since: datetime | None = NOW - timedelta(seconds=10)
    ) -> AbstractAsyncContextManager[Subscriber[OfferChange]]:
        @asynccontextmanager
        async def subscribed() -> AsyncIterator[Subscriber[OfferChange]]:
            with self.topic.subscribe(user_id, None, lambda code, _reason: self.closed.append(code), since) as one:
                yield one

        return subscribed()


@pytest.fixture
async def routed(_has_run_for_a_minute: None) -> AsyncIterator[Routed]:
    routed = Routed()
    delivering = asyncio.create_task(routed.topic.deliver_forever())
    yield routed
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)


def change(offer_id: int, previous: LeadOfferStatus | None = None) -> OfferChange:
    return OfferChange(offer_id, 1, previous, NOW)


async def is_silent(subscriber: Subscriber[OfferChange]) -> bool:
    try:
        async with asyncio.timeout(0.05):
            await subscriber.next()
    except TimeoutError:
        return True
    return False


async def test_a_change_is_delivered_once_if_it_came_right_before_the_subscription(routed: Routed) -> None:
    """It is both among the recent changes and among those that are still to be delivered."""
    async with routed.subscribe(1) as earlier:
        routed.topic.publish([change(1)])
        routed.topic.publish([change(1, LeadOfferStatus.SCHEDULED)])
        async with routed.subscribe(2) as late:
            routed.topic.publish([change(1, LeadOfferStatus.SENT)])
            for one in (earlier, late):
                assert (await one.next()).previous_status is None
                assert await is_silent(one)
    assert routed.calls == [([1], [1, 2])]


async def test_a_change_whose_delivery_has_begun_is_replayed(routed: Routed) -> None:
    """The new subscriber is not among those whose recipients are being searched."""
    routed.goes_on.clear()
    async with routed.subscribe(1):
        routed.topic.publish([change(1)])
        await routed.is_searching.wait()
        async with routed.subscribe(2) as late:
            routed.goes_on.set()
            assert (await late.next()).offer_id == 1
            assert await is_silent(late)


async def test_clients_that_connect_at_once_share_a_search(routed: Routed) -> None:
    routed.topic.publish([change(1), change(2)])
    async with routed.subscribe(1) as one, routed.subscribe(2) as two, routed.subscribe(3, since=None) as three:
        for subscriber in (one, two):
            assert [(await subscriber.next()).offer_id for _ in range(2)] == [1, 2]
        assert await is_silent(three)
    assert routed.calls == [([1, 2], [1, 2])]


async def test_a_client_that_is_gone_is_not_searched_for(routed: Routed) -> None:
    routed.topic.publish([change(1)])
    async with routed.subscribe(1):
        pass
    async with routed.subscribe(2) as two:
        await two.next()
    assert routed.calls == [([1], [2])]


async def test_a_subscription_that_has_ended_does_not_end_its_connection(routed: Routed) -> None:
    """A WebSocket goes on with its other subscriptions, and nobody reads what would be sent to this one."""
    routed.goes_on.clear()
    async with routed.subscribe(1):
        routed.topic.publish(change(offer_id) for offer_id in range(MAX_PENDING))
        async with routed.subscribe(1):
            routed.topic.publish([change(MAX_PENDING)])
            await routed.is_searching.wait()
    routed.goes_on.set()
    async with routed.subscribe(2, since=None) as later:
        routed.topic.publish([change(1)])
        await later.next()
    assert routed.closed == []


async def test_after_a_gap_subscribers_are_closed_and_nothing_is_replayed(
    routed: Routed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with routed.subscribe(1):
        monkeypatch.undo()
        routed.topic.miss()
        assert routed.closed == [CloseCode.SERVICE_RESTART]
    with pytest.raises(ApiError, match="has not received all changes"):
        async with routed.subscribe(1):
            pass
