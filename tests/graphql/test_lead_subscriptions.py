"""leadChanged: which viewer hears of which leads and when, over real sockets and event streams."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, select

from app.access import visibility
from app.access.tokens import issue_token
from app.db.models import Delivery, Lead
from app.domain.enums import LeadOfferStatus
from app.main import create_app
from app.worker.channels.registry import make_channels
from app.worker.leases import wake_workers
from tests.graphql.test_event_streams import following
from tests.support.api import Api, settings_for
from tests.support.graphql_ws import Client, Watchers, signed_in, submit, url_of
from tests.support.live_server import live_server
from tests.support.world import NOW, Cast, World, change

CHANGED = """
subscription Changed($teamId: ID) {
  leadChanged(teamId: $teamId) { isNew changedAt lead { id type claimedBy { id } offers { data { id status } } } }
}
"""
ASSIGN = "mutation ($lead: ID!, $user: ID!) { assignLead(id: $lead, userId: $user) { lead { id } } }"
CLAIM = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"
RELEASE = "mutation ($id: ID!) { releaseLead(id: $id) { lead { id } } }"
CREATE = "mutation ($input: CreateLeadInput!) { createLead(input: $input) { lead { id } } }"
RECEIVE = "mutation ($input: ReceiveLeadInput!) { receiveLead(input: $input) { lead { id } } }"
UPDATE = "mutation ($id: ID!, $input: UpdateLeadInput!) { updateLead(id: $id, input: $input) { lead { id } } }"


async def heard(client: Client) -> tuple[str, bool]:
    """The lead of the next event, and whether it is new; no other event follows it at once."""
    told = await client.next()
    await client.nothing(0.1)
    return told["lead"]["id"], told["isNew"]


async def test_every_step_of_a_lead_is_one_event(live: Api, cast: Cast, world: World, watch: Watchers) -> None:
    alice, charlie = await watch(cast.alice, query=CHANGED), await watch(cast.charlie, query=CHANGED)
    contact = await world.contact(cast.alice)
    her = live.user(cast.alice)

    before = datetime.now(UTC).replace(microsecond=0)
    new = {"contactId": contact.id, "distributionTarget": "TEAM_ROLLOUT"}
    new |= {"teamSelectionMethod": "SPECIFIC_TEAM", "teamId": cast.team.id}
    lead = (await her.ask(CREATE, input=new))["createLead"]["lead"]["id"]
    told = await alice.next()
    assert (told["lead"]["id"], told["isNew"]) == (lead, True)
    assert before <= datetime.fromisoformat(told["changedAt"]) <= datetime.now(UTC)

    await her.ask(UPDATE, id=lead, input={"type": "Buyer"})
    told = await alice.next()
    assert (told["lead"]["type"], told["isNew"]) == ("Buyer", False)
    await her.ask(UPDATE, id=lead, input={"type": "Buyer"})
    await alice.nothing(0.2)

    offer = (await submit(live, cast, int(lead)))[str(cast.bob.id)]
    told = await alice.next()
    assert told["lead"]["offers"]["data"] == [{"id": offer, "status": "SCHEDULED"}]
    await live.user(cast.bob).ask(CLAIM, id=offer)
    told = await alice.next()
    assert told["lead"]["claimedBy"] == {"id": str(cast.bob.id)}
    assert told["lead"]["offers"]["data"] == [{"id": offer, "status": "CLAIMED"}]
    await live.user(cast.bob).ask(RELEASE, id=lead)
    assert (await alice.next())["lead"]["claimedBy"] is None
    await her.ask(ASSIGN, lead=lead, user=cast.bob.id)
    assert (await alice.next())["lead"]["claimedBy"] == {"id": str(cast.bob.id)}
    await alice.nothing(0.1)
    await charlie.nothing(0.1)


async def test_a_received_enquiry_is_one_event_of_a_new_lead(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    client = await watch(cast.alice, query=CHANGED)
    source = await world.source(cast.alice)
    await world.route(source, cast.team)
    enquiry = {"sourceId": str(source.id), "contact": {"firstName": "Lena", "email": "lena@example.com"}}
    lead = (await live.user(cast.alice).ask(RECEIVE, input=enquiry))["receiveLead"]["lead"]["id"]
    assert await heard(client) == (lead, True)


async def test_an_agent_hears_of_the_leads_that_they_can_see_and_no_more_after_they_lost_them(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    dora = await world.user("Dora")
    await world.member(cast.team, dora, rank=1)
    lead = await world.lead(cast.alice, cast.team)
    offers = await submit(live, cast, lead.id)
    bob, hers = await watch(cast.bob, query=CHANGED), await watch(dora, query=CHANGED)
    await live.user(cast.bob).ask(CLAIM, id=offers[str(cast.bob.id)])
    assert await heard(bob) == (str(lead.id), False)
    await hers.nothing(0.1)  # her offer is cancelled, so the lead does not exist for her
    await live.user(cast.alice).ask(UPDATE, id=lead.id, input={"type": "Seller"})
    assert await heard(bob) == (str(lead.id), False)
    await hers.nothing(0.1)


async def test_a_lead_that_the_worker_gives_up_is_an_event(database_url: str, cast: Cast, world: World) -> None:
    now = datetime.now(UTC)  # the worker would give up an older lead as soon as it starts
    lead = await world.lead(cast.alice, cast.team, created_at=now, watched_since=now)
    settings = settings_for(database_url)
    token = issue_token(settings, cast.alice.id, "read write", 1, datetime.now(UTC))
    with live_server(create_app(settings, channels=make_channels(settings))) as url:
        async with signed_in(url, token) as client:
            await client.subscribe("subscription { leadChanged { lead { id nextStep { at } } } }")
            await change(world, lead, created_at=NOW, watched_since=NOW, gives_up_at=now)
            async with world.database.write() as session:
                await wake_workers(session, Delivery)  # a worker on PostgreSQL may have begun to rest
            while True:  # PostgreSQL tells of the time that the test has written as well
                told = await client.next()
                assert told["lead"]["id"] == str(lead.id)
                if told["lead"]["nextStep"] is None:
                    break


async def test_a_subscription_can_be_limited_to_a_team(live: Api, cast: Cast, world: World, watch: Watchers) -> None:
    other = await world.team(cast.alice, zipcodes=["94105"])
    await world.member(other, cast.bob)
    named = await world.lead(cast.alice, cast.team)
    by_zipcode = await world.zipcode_lead(cast.alice, "94105")
    clients = [await watch(cast.alice, query=CHANGED, teamId=team) for team in (cast.team.id, other.id, None)]
    await submit(live, cast, by_zipcode.id)
    assert await heard(clients[1]) == (str(by_zipcode.id), False)
    assert await heard(clients[2]) == (str(by_zipcode.id), False)
    await submit(live, cast, named.id)
    assert await heard(clients[0]) == (str(named.id), False)
    assert await heard(clients[2]) == (str(named.id), False)
    await clients[1].nothing(0.1)


async def test_only_the_creator_learns_by_a_team_which_one_was_offered_a_lead_last(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    offering = await world.team(cast.alice, zipcodes=["94105"])
    await world.member(offering, cast.bob)
    lead = await world.zipcode_lead(cast.alice, "94105")
    await submit(live, cast, lead.id)
    by_team = [await watch(user, query=CHANGED, teamId=offering.id) for user in (cast.alice, cast.bob)]
    everything = await watch(cast.bob, query=CHANGED)
    await live.user(cast.alice).ask(UPDATE, id=lead.id, input={"type": "Seller"})
    assert await heard(by_team[0]) == (str(lead.id), False)
    assert await heard(everything) == (str(lead.id), False)
    await by_team[1].nothing(0.2)


@pytest.mark.parametrize("team_id", ["999", "x", "", "0", "99999999999999999999"])
async def test_a_team_that_the_viewer_cannot_see_is_not_found(
    live: Api, cast: Cast, world: World, team_id: str
) -> None:
    hidden = await world.team(cast.charlie)
    token = live.user(cast.bob).token
    async with signed_in(url_of(live), token) as client:
        for wrong in (team_id, hidden.id):
            await client.send(id="1", type="subscribe", payload={"query": CHANGED, "variables": {"teamId": wrong}})
            message = await client.receive()
            assert message["type"] == "error", message
            (error,) = message["payload"]
            assert error["extensions"] == {"code": "NOT_FOUND"}
            assert error["message"] == "There is no team with this id."
    async with following(url_of(live), token, CHANGED, teamId=team_id) as stream:
        name, event = await stream.event()
        assert name == "next"
        assert event["errors"][0]["extensions"]["code"] == "NOT_FOUND"
        assert (await stream.event())[0] == "complete"


async def test_the_statements_of_an_event_do_not_depend_on_the_number_of_subscribers(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    leads = iter([await world.lead(cast.alice, cast.team) for _ in range(2)])

    async def statements(clients: list[Client]) -> list[str]:
        found = live.statements()
        await submit(live, cast, next(leads).id)
        for client in clients:
            await client.next()
            await client.nothing(0.05)
        texts = sorted(" ".join(one.split()) for one in found)
        return [text for text in texts if not text.startswith("SELECT teams.id FROM teams")]  # as a subscription begins

    await watch(cast.charlie, query=CHANGED)  # hears nothing, so it costs nothing
    alone = [await watch(cast.alice, query=CHANGED, teamId=cast.team.id)]
    one = await statements(alone)
    many = [*alone, *[await watch(cast.alice, query=CHANGED, teamId=cast.team.id) for _ in range(9)]]
    assert await statements(many) == one
    assert len([text for text in one if "UNION SELECT leads.id" in text]) == 1


async def test_an_event_stream_sends_the_same(live: Api, cast: Cast, world: World) -> None:
    lead = await world.lead(cast.alice, cast.team)
    async with following(url_of(live), live.user(cast.alice).token, CHANGED) as stream:
        await stream.begun()
        await submit(live, cast, lead.id)
        name, event = await stream.event()
    assert (name, event["data"]["leadChanged"]["lead"]["id"]) == ("next", str(lead.id))


async def test_a_change_in_another_server_is_heard(database_url: str, live: Api, cast: Cast, world: World) -> None:
    if not world.database.is_postgresql:
        pytest.xfail("SQLite notifies its own process only")
    with live_server(create_app(settings_for(database_url))) as elsewhere:
        async with signed_in(elsewhere, live.user(cast.alice).token) as client:
            await client.subscribe(CHANGED)
            lead = await world.lead(cast.alice, cast.team)
            assert await heard(client) == (str(lead.id), True)
            await submit(live, cast, lead.id)
            assert await heard(client) == (str(lead.id), False)


async def test_the_viewers_of_a_lead_are_those_who_can_see_it(world: World, cast: Cast) -> None:
    leads, users = [], [cast.alice, cast.bob, cast.charlie]
    for status in LeadOfferStatus:
        for notify_at in (None, NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)):
            lead = await world.lead(cast.alice, cast.team)
            await world.offer(lead, cast.bob, status=status, notify_at=notify_at)
            leads.append(lead)
    await world.claimed(await world.lead(cast.alice, cast.team), cast.charlie)
    ids = [lead.id for lead in leads]
    async with world.database.read() as session:
        pairs = set((await session.exec(visibility.lead_viewers(ids, NOW))).all())
        for user in users:
            seen = select(col(Lead.id)).where(col(Lead.id).in_(ids), visibility.leads(user.id, NOW))
            assert set((await session.exec(seen)).all()) == {lead for lead, viewer in pairs if viewer == user.id}
