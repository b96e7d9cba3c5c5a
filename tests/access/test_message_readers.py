"""The message of a lead reaches nobody but its creator and its holder, by whichever way.

The tests walk the schema and the addresses of the server, and look at everything that is written, sent and logged.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
    is_enum_type,
    is_required_argument,
)
from sqlalchemy import select
from sqlmodel import SQLModel
from starlette.routing import Route

from app.access.claim_links import ClaimLink, claim_url
from app.commands.assign import assign_lead
from app.commands.claim import claim_lead_offer
from app.commands.release import release_lead
from app.commands.submit import submit_lead_offers
from app.db.engine import connect
from app.db.models import Lead, LeadOffer, LeadRollout, RolloutOffer, User
from app.domain.enums import Channel, ClaimedVia, LeadOfferStatus, TeamSelectionMethod
from app.graphql.schema import schema
from app.graphql.strawberry_internals import core_schema
from app.importer import Report, import_lists, parse
from app.importer.report import NotImported
from app.main import create_app
from app.rest.filter_fields import FILTER_FIELDS
from app.worker.channels.base import Message
from app.worker.worker import Worker
from tests.graphql.test_plans import planned, resolved
from tests.support.api import Api, settings_for
from tests.support.graphql_ws import Watchers, submit
from tests.support.world import NOW, Cast, World

WRITTEN = "Is the blue house still for sale?\nI can come on Saturday."
PUBLIC = "https://leads.example.com"

Path = tuple[tuple[str, GraphQLField], ...]


@dataclass
class Readers:
    """A lead that Alice created and Bob holds, and users who see it by an offer, but for the stranger."""

    lead: Lead
    users: dict[str, User]
    offers: dict[str, LeadOffer]

    READING = frozenset({"creator", "holder"})


@pytest.fixture
async def readers(world: World, cast: Cast) -> Readers:
    member, declined, leader, agent = [await world.user(name) for name in ("Dora", "Emil", "Frida", "Gina")]
    for user in (member, declined):
        await world.member(cast.team, user, rank=2)
    other_team = await world.team(leader)
    await world.member(other_team, agent, rank=1)
    lead = await world.lead(cast.alice, cast.team, message=WRITTEN, city="Austin", external_id="4711")
    await world.claimed(lead, cast.bob)
    offers = {
        "holder": await world.offer(lead, cast.bob, status=LeadOfferStatus.CLAIMED),
        "member": await world.offer(lead, member, status=LeadOfferStatus.EXPIRED),
        "declined": await world.offer(lead, declined, status=LeadOfferStatus.DECLINED),
        "agent of another team": await world.offer(lead, agent, other_team, offered_by_id=leader.id),
    }
    method = TeamSelectionMethod.SPECIFIC_TEAM
    rollout = LeadRollout(lead_id=lead.id, team_id=cast.team.id, team_selection_method=method, submitted_at=NOW)
    await world.add(rollout)
    await world.add(*(RolloutOffer(rollout_id=rollout.id, offer_id=offer.id) for offer in offers.values()))
    users = {
        "creator": cast.alice,
        "holder": cast.bob,
        "member": member,
        "declined": declined,
        "leader of another team": leader,
        "agent of another team": agent,
        "stranger": cast.charlie,
    }
    return Readers(lead, users, offers)


def ways() -> list[Path]:
    """Return the ways from a query to a lead on which no type but the lead comes twice."""
    query = core_schema(schema).query_type
    assert query is not None
    return [*_ways(query, (), (query.name,))]


def _ways(kind: GraphQLObjectType, path: Path, seen: tuple[str, ...]) -> Iterator[Path]:
    for name, found in kind.fields.items():
        inner = get_named_type(found.type)
        if not isinstance(inner, GraphQLObjectType):
            continue
        reached = (*path, (name, found))
        if inner.name == "Lead":
            yield reached
        if inner.name not in seen:
            yield from _ways(inner, reached, (*seen, inner.name))


WAYS = {".".join(name for name, _ in path): path for path in ways()}


def document(path: Path, readers: Readers) -> str:
    ids = {"id": readers.lead.id, "leadId": readers.lead.id}
    text = "{ id message }"
    for name, found in reversed(path):
        given = {argument: ids[argument] for argument, kind in found.args.items() if is_required_argument(kind)}
        if name == "leadOffer" and "id" in given:
            given["id"] = readers.offers["member"].id
        if "limit" in found.args:
            given["limit"] = 20
        written = f"({', '.join(f'{argument}: {value}' for argument, value in given.items())})" if given else ""
        text = f"{{ {name}{written} {text} }}"
    return text


def messages(value: Any, lead_id: str) -> Iterator[str | None]:
    """Yield the message of this lead wherever it is in a response."""
    if isinstance(value, dict):
        if value.get("id") == lead_id and "message" in value:
            yield value["message"]
        value = [*value.values()]
    if isinstance(value, list):
        for each in value:
            yield from messages(each, lead_id)


def test_the_walk_finds_the_ways() -> None:
    assert {"lead", "leads.data", "leadOffer.lead", "leadOffers.data.lead", "leads.data.offers.data.lead"} <= {*WAYS}


@pytest.mark.parametrize("way", WAYS)
async def test_whoever_reaches_the_lead(api: Api, readers: Readers, way: str) -> None:
    query, lead_id = document(WAYS[way], readers), str(readers.lead.id)
    for name, user in readers.users.items():
        answers = [await answer(api.user(user), query) for answer in (planned, resolved)]
        assert answers[0] == answers[1]
        body = json.loads(answers[0][1])
        shown = {*messages(body, lead_id)}
        assert shown <= ({WRITTEN} if name in readers.READING else {None}), (name, body)
        assert ("blue house" in answers[0][1].decode()) == (WRITTEN in shown)


@pytest.mark.parametrize("way", ["lead", "leads.data", "leadOffers.data.lead"])
async def test_every_user_with_an_offer_reaches_the_lead(api: Api, readers: Readers, way: str) -> None:
    """Otherwise the test before would be about nothing."""
    query, lead_id = document(WAYS[way], readers), str(readers.lead.id)
    for name in ("holder", "member", "declined", "agent of another team"):
        assert [*messages(await api.user(readers.users[name]).ask(query), lead_id)], name


def test_nobody_filters_or_sorts_by_it() -> None:
    """The number of matches would tell what it says."""
    for kind in core_schema(schema).type_map.values():
        if isinstance(kind, GraphQLInputObjectType) and kind.name.endswith("Where"):
            assert "message" not in kind.fields
        if is_enum_type(kind) and kind.name.endswith("SortField"):
            assert "MESSAGE" not in kind.values
    assert not {"message", "text_body"} & {*FILTER_FIELDS}


async def test_mutations_show_it_to_those_who_may_read_it_afterwards(api: Api, world: World, cast: Cast) -> None:
    dora = await world.member_user(cast.team, "Dora", rank=1)
    lead = await world.lead(cast.alice, cast.team, message=WRITTEN)
    offers = [await world.offer(lead, user) for user in (cast.bob, dora)]
    claim = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { lead { message } } } }"
    decline = "mutation ($id: ID!) { declineLeadOffer(id: $id) { leadOffer { lead { message } } } }"
    release = "mutation ($id: ID!) { releaseLead(id: $id) { lead { message } } }"
    assign = "mutation ($id: ID!, $user: ID!) { assignLead(id: $id, userId: $user) { lead { message } } }"
    submit = "mutation ($id: ID!) { submitLeadOffers(leadId: $id) { offers { lead { message } } } }"

    bob, alice = api.user(cast.bob), api.user(cast.alice)
    assert WRITTEN not in json.dumps(await api.user(dora).send(decline, id=offers[1].id))
    assert (await bob.ask(claim, id=offers[0].id))["claimLeadOffer"]["leadOffer"]["lead"]["message"] == WRITTEN
    refused = await api.user(dora).send(claim, id=offers[1].id)
    assert refused["errors"][0]["extensions"]["code"] == "ALREADY_CLAIMED"
    assert "blue house" not in json.dumps(refused)
    assert (await bob.ask(release, id=lead.id))["releaseLead"]["lead"]["message"] is None
    assert (await alice.ask(assign, id=lead.id, user=dora.id))["assignLead"]["lead"]["message"] == WRITTEN
    assert (await alice.ask(release, id=lead.id))["releaseLead"]["lead"]["message"] == WRITTEN
    other = await world.lead(cast.alice, cast.team, message=WRITTEN)
    offered = (await alice.ask(submit, id=other.id))["submitLeadOffers"]["offers"]
    assert offered == [{"lead": {"message": WRITTEN}}] * 2


async def test_subscribers_get_it_once_the_lead_is_theirs(live: Api, world: World, cast: Cast, watch: Watchers) -> None:
    dora = await world.member_user(cast.team, "Dora", rank=1)
    lead = await world.lead(cast.alice, cast.team, message=WRITTEN)
    changed = "subscription { leadOfferChanged { leadOffer { user { id } status lead { id message } } } }"
    alice, bob, other = [await watch(user, query=changed) for user in (cast.alice, cast.bob, dora)]
    offers = await submit(live, cast, lead.id)
    for client, shown in ((alice, WRITTEN), (bob, None), (other, None)):
        assert (await client.next())["leadOffer"]["lead"]["message"] == shown
    assert (await alice.next())["leadOffer"]["lead"]["message"] == WRITTEN
    claim = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"
    await live.user(cast.bob).ask(claim, id=offers[str(cast.bob.id)])
    assert (await bob.next())["leadOffer"]["lead"]["message"] == WRITTEN
    assert (await other.next())["leadOffer"]["lead"]["message"] is None


async def test_no_address_shows_it_to_others(database_url: str, world: World, cast: Cast, readers: Readers) -> None:
    settings = settings_for(database_url, public_url=PUBLIC)
    app = create_app(settings, clock=lambda: NOW)
    open_lead = await world.lead(cast.alice, cast.team, message=WRITTEN, city="Austin")
    open_offer = await world.offer(open_lead, readers.users["member"])
    link = claim_url(settings, ClaimLink(open_offer.id, ClaimedVia.EMAIL), NOW)
    assert link is not None
    routes = [route for route in app.routes if isinstance(route, Route)]
    read: dict[str, set[str]] = {}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=PUBLIC) as http,
    ):
        api = Api(http, settings, app.state.database)
        clients = {name: api.user(user) for name, user in readers.users.items()} | {"anybody": api}
        for route in routes:
            for name, client in clients.items():
                offer = readers.offers.get(name, readers.offers["member"])
                ids = {"lead_id": readers.lead.id, "offer_id": offer.id, "team_id": cast.team.id}
                values = {**ids, "rest": "x", "path": "x", "key": "x", "name": "x"}
                path = route.path.replace(":path", "").format(**values)
                if path == "/claim":
                    path = link.removeprefix(PUBLIC)
                for method in sorted({"GET", "POST"} - ({"POST"} if path.startswith("/claim") else set())):
                    answer = await client.rest(method, path)
                    if "blue house" in answer.text:
                        read.setdefault(name, set()).add(f"{method} {route.path}")
        assert "in Austin" in (await http.get(link)).text
        assert "blue house" not in (await http.post(link)).text
    assert read == {
        "creator": {"GET /leads/{lead_id}/offers", "GET /leads/{lead_id}/offers/{offer_id}"},
        "holder": {"GET /leads/{lead_id}/offers", "GET /leads/{lead_id}/offers/{offer_id}"},
    }


@dataclass
class Recorder:
    """A channel that records messages."""

    max_concurrent: int = 50
    accepts_replies: bool = True
    sent: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def close(self) -> None:
        pass


async def test_it_is_neither_sent_nor_written_elsewhere_nor_logged(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "app")
    database = connect(database_url, has_webhook=True)
    world = World(database)
    cast = await world.cast()
    alerts = {"has_call_alert": True, "has_text_alert": True, "has_email_alert": True}
    dora = await world.member_user(cast.team, "Dora", phone="+12025550142", rank=1, **alerts)
    told: dict[str, Any] = {"message": WRITTEN, "city": "Austin", "watched_since": NOW}
    lead, alone = [await world.lead(cast.alice, team, **told) for team in (cast.team, await world.team(cast.alice))]
    channel = Recorder()

    async def work(now: Any) -> None:
        channels = dict.fromkeys(Channel, channel)
        await Worker(database, settings_for(database_url), channels, lambda: now).run_once()

    async with database.write() as session:
        offers = {offer.user_id: offer for offer in (await submit_lead_offers(session, 1, lead.id, NOW)).offers}
    await work(NOW)
    async with database.write() as session:
        await claim_lead_offer(session, cast.bob.id, offers[cast.bob.id].id, ClaimedVia.APP, NOW)
    async with database.write() as session:
        await release_lead(session, cast.bob.id, lead.id, NOW)
    async with database.write() as session:
        await assign_lead(session, cast.alice.id, lead.id, dora.id, NOW)
    for minutes in (1, 120, 240):
        await work(NOW + timedelta(minutes=minutes))

    texts = [f"{message.subject} {message.text}" for message in channel.sent]
    for subject in ("Lead offer", "Your new lead", "Nobody has claimed lead"):
        assert any(text.startswith(subject) and "Austin" in text for text in texts), subject
    assert not [text for text in texts if "blue house" in text]
    assert "blue house" not in caplog.text

    found = set()
    async with database.read_engine.connect() as connection:
        for table in SQLModel.metadata.sorted_tables:
            for row in await connection.execute(select(table)):
                found |= {f"{table.name}.{name}" for name, value in row._mapping.items() if "blue house" in str(value)}
        assert (await connection.execute(select(SQLModel.metadata.tables["events"]))).all()
    await database.close()
    assert found == {"leads.message"}
    assert alone.id != lead.id


async def test_errors_do_not_quote_it(api: Api, cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "app")
    create = "mutation ($input: CreateLeadInput!) { createLead(input: $input) { lead { id } } }"
    contact = {"firstName": "Mary"}
    for wrong in ({"message": WRITTEN * 1_000}, {"message": WRITTEN, "zipcode": "x"}, {"message": f"{WRITTEN}\0"}):
        refused = await api.user(cast.alice).send(create, input={"contact": contact} | wrong)
        assert refused["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert "blue house" not in json.dumps(refused)
    new = {"contact": contact, "message": WRITTEN, "externalId": "4711"}
    for _ in range(2):
        refused = await api.user(cast.alice).send(create, input=new)
    assert refused["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert "blue house" not in json.dumps(refused)
    assert "blue house" not in caplog.text


@pytest.mark.parametrize("text_body", [WRITTEN * 1_000, f"{WRITTEN}\0", [WRITTEN]])
@pytest.mark.parametrize("is_lenient", [True, False])
async def test_the_report_of_an_import_does_not_quote_it(
    world: World, cast: Cast, *, text_body: Any, is_lenient: bool
) -> None:
    contact = await world.contact(cast.alice)
    document = parse(json.dumps({"leads": [{"id": 9, "contact_id": contact.id, "text_body": text_body}]}).encode())
    report = Report(is_lenient=is_lenient, keeps_all=True)
    refusal = ""
    try:
        async with world.database.write() as session:
            await import_lists(session, document, NOW, report=report)
    except NotImported as error:
        refusal = str(error)
    assert bool(refusal) is not is_lenient
    assert "text_body" in refusal + "\n".join(report.lines())
    assert "blue house" not in refusal + "\n".join(report.lines()) + json.dumps(report.as_json())
