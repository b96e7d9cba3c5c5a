"""leadOfferChanged: which viewer receives which events, over real sockets."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.graphql_ws import CHANGED, SUBMIT, Watchers, signed_in, submit, url_of
from tests.support.world import Cast, World

CLAIM = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"
ASSIGN = "mutation ($lead: ID!, $user: ID!) { assignLead(id: $lead, userId: $user) { lead { id } } }"
RELEASE = "mutation ($id: ID!) { releaseLead(id: $id) { lead { id } } }"
LIMITED = "query ($n: Int!) { leads(limit: $n) { total } }"
UNKNOWN = 'Unknown operation named "B".'


def told(change: dict[str, Any]) -> tuple[str | None, str, str]:
    """The status before, the status, and whose offer it is."""
    return change["previousStatus"], change["leadOffer"]["status"], change["leadOffer"]["user"]["id"]


async def test_an_offer_is_sent_to_its_user_and_to_the_teams_creator_only(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    alice, bob, charlie = [await watch(user) for user in (cast.alice, cast.bob, cast.charlie)]
    lead = await world.lead(cast.alice, cast.team)
    before = datetime.now(UTC).replace(microsecond=0)
    offers = await submit(live, cast, lead.id)
    for client in (alice, bob):
        change = await client.next()
        assert told(change) == (None, "SCHEDULED", str(cast.bob.id))
        assert change["leadOffer"]["id"] == offers[str(cast.bob.id)]
        assert before <= datetime.fromisoformat(change["changedAt"]) <= datetime.now(UTC)

    await live.user(cast.bob).ask(CLAIM, id=offers[str(cast.bob.id)])
    for client in (alice, bob):
        change = await client.next()
        assert told(change) == ("SCHEDULED", "CLAIMED", str(cast.bob.id))
        assert change["leadOffer"]["lead"]["claimedBy"] == {"id": str(cast.bob.id)}
    await charlie.nothing()


async def test_a_claim_sends_each_member_their_own_offer(live: Api, cast: Cast, world: World, watch: Watchers) -> None:
    dora = await world.user("Dora")
    await world.member(cast.team, dora, rank=2)
    lead = await world.lead(cast.alice, cast.team)
    offers = await submit(live, cast, lead.id)
    clients = [await watch(user) for user in (cast.alice, cast.bob, dora)]
    await live.user(cast.bob).ask(CLAIM, id=offers[str(cast.bob.id)])
    seen = [told(await clients[0].next()) for _ in range(2)]
    assert sorted(seen, key=lambda one: one[2]) == [
        ("SCHEDULED", "CLAIMED", str(cast.bob.id)),
        ("SCHEDULED", "CANCELLED", str(dora.id)),
    ]
    assert told(await clients[1].next())[1] == "CLAIMED"
    assert told(await clients[2].next())[1] == "CANCELLED"
    for client in clients:
        await client.nothing(0.1)


async def test_a_subscription_can_be_limited_to_one_lead(live: Api, cast: Cast, world: World, watch: Watchers) -> None:
    leads = [await world.lead(cast.alice, cast.team) for _ in range(2)]
    one, all_of_them = await watch(cast.bob, leadId=leads[1].id), await watch(cast.bob, leadId=None)
    no_lead = await watch(cast.bob, leadId="x")
    offers = [await submit(live, cast, lead.id) for lead in leads]
    assert (await one.next())["leadOffer"]["id"] == offers[1][str(cast.bob.id)]
    assert [(await all_of_them.next())["leadOffer"]["id"] for _ in leads] == [o[str(cast.bob.id)] for o in offers]
    await no_lead.nothing(0.1)
    await one.nothing(0.1)


async def test_a_lead_that_the_viewer_cannot_see_sends_nothing(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    charlie = await watch(cast.charlie, leadId=lead.id)
    await submit(live, cast, lead.id)
    await charlie.nothing()


async def test_the_last_of_several_changes_is_always_sent(live: Api, cast: Cast, world: World, watch: Watchers) -> None:
    lead = await world.lead(cast.alice, cast.team)
    client = await watch(cast.bob)
    offer_id = (await submit(live, cast, lead.id))[str(cast.bob.id)]
    for _ in range(5):
        await live.user(cast.alice).ask(ASSIGN, lead=lead.id, user=cast.bob.id)
        await live.user(cast.alice).ask(RELEASE, id=lead.id)
    seen = [told(await client.next())]
    while not await client.is_silent(0.5):
        seen.append(told(await client.next()))
    now = await live.user(cast.bob).ask("query ($id: ID!) { leadOffer(id: $id) { status } }", id=offer_id)
    assert seen[0][0] is None
    assert seen[-1][1] == now["leadOffer"]["status"] == "DECLINED"


async def test_one_statement_finds_the_recipients_for_all_subscribers(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    clients = [await watch(user) for user in (cast.alice, cast.bob, cast.charlie)]
    statements = live.statements()
    await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
    for client in clients[:2]:
        await client.next()
    assert len([one for one in statements if "FROM lead_offers JOIN users" in " ".join(one.split())]) == 1


async def test_queries_and_mutations_can_be_sent_over_websocket(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    client = await watch(cast.alice)
    await client.send(id="q", type="subscribe", payload={"query": "{ me { id } }"})
    assert await client.receive() == {
        "id": "q",
        "type": "next",
        "payload": {"data": {"me": {"id": str(cast.alice.id)}}},
    }
    assert await client.receive() == {"id": "q", "type": "complete"}
    await client.send(id="m", type="subscribe", payload={"query": SUBMIT, "variables": {"id": lead.id}})
    answers = [await client.receive() for _ in range(3)]
    assert {(one["id"], one["type"]) for one in answers} == {("m", "next"), ("m", "complete"), ("1", "next")}


async def test_complete_ends_one_subscription_only(live: Api, cast: Cast, world: World, watch: Watchers) -> None:
    client = await watch(cast.bob)
    await client.subscribe(number=2)
    await client.send(id="1", type="complete")
    await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
    assert (await client.receive())["id"] == "2"
    await client.nothing(0.1)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription { a: leadOfferChanged { changedAt } b: leadOfferChanged { changedAt } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("subscription ($x: Int!) { leadOfferChanged(leadId: $x) { changedAt } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { me { id } } query B { me { id } }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription { leadOfferChanged { "
            + "leadOffer { lead { offers { data { " * 9
            + "id"
            + " } } } }" * 9
            + " } }",
            "QUERY_TOO_COMPLEX",
        ),
    ],
)
async def test_an_invalid_document_does_not_close_the_connection(
    live: Api, cast: Cast, watch: Watchers, query: str, code: str | None
) -> None:
    client = await watch(cast.bob)
    await client.send(id="wrong", type="subscribe", payload={"query": query})
    message = await client.receive()
    assert (message["id"], message["type"]) == ("wrong", "error")
    assert message["payload"][0]["extensions"]["code"] == code
    await client.send(type="ping")
    assert await client.receive() == {"type": "pong"}


@pytest.mark.parametrize(
    ("payload", "code", "message"),
    [
        ({"query": "query A { me { id } }", "operationName": "B"}, "GRAPHQL_VALIDATION_FAILED", UNKNOWN),
        ({"query": f"{CHANGED} query A {{ me {{ id }} }}", "operationName": "B"}, "GRAPHQL_VALIDATION_FAILED", UNKNOWN),
        ({"query": "fragment F on User { id }"}, "GRAPHQL_VALIDATION_FAILED", "The document has no operation."),
        ({"query": ""}, "BAD_REQUEST", "The request has no query. It must be a string with a GraphQL document."),
        ({"query": LIMITED}, "BAD_USER_INPUT", "limit: is required, but the request has no variable $n"),
        (
            {"query": LIMITED, "variables": {"n": "x"}},
            "BAD_USER_INPUT",
            "limit: Int cannot represent non-integer value: 'x'",
        ),
    ],
)
async def test_a_request_that_is_not_executed_is_answered_as_over_http(
    live: Api,
    cast: Cast,
    watch: Watchers,
    payload: dict[str, Any],
    code: str,
    message: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is the client's mistake, so that the log has no error."""
    client = await watch(cast.bob)
    await client.send(id="wrong", type="subscribe", payload=payload)
    over_websocket = await client.receive()
    assert (over_websocket["id"], over_websocket["type"]) == ("wrong", "error")
    (error,) = over_websocket["payload"]
    assert (error["extensions"]["code"], error["message"]) == (code, message)
    assert (await live.user(cast.bob).post(payload)).json() == {"errors": over_websocket["payload"]}
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_token_without_the_scope_read_cannot_subscribe(live: Api, cast: Cast) -> None:
    async with signed_in(url_of(live), live.user(cast.bob, "write").token) as client:
        await client.send(
            id="1", type="subscribe", payload={"query": "subscription { leadOfferChanged { changedAt } }"}
        )
        message = await client.receive()
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_post_that_does_not_accept_events_cannot_subscribe(api: Api, cast: Cast) -> None:
    answer = await api.user(cast.bob).post({"query": "subscription { leadOfferChanged { changedAt } }"})
    assert answer.status_code == 400


async def test_an_offer_whose_user_has_several_connections(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    clients = [await watch(cast.bob) for _ in range(5)]
    await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
    assert {told(await client.next()) for client in clients} == {(None, "SCHEDULED", str(cast.bob.id))}
