"""The ends of the number line in every argument and input field of the schema."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import build_schema
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from app.config import Settings
from app.db.models import Delivery
from app.domain.bounds import DEEPEST_DOCUMENT, HIGHEST_COST
from app.domain.enums import Channel, DeliveryStatus, LeadOfferStatus, OrderMethod
from app.graphql.schema import schema
from app.worker.channels.registry import make_channels
from app.worker.worker import Worker
from tests.graphql.test_plans import planned, resolved
from tests.support.api import Api, serving, settings_for
from tests.support.ends import Call, fields_with_arguments, operations
from tests.support.examples import examples
from tests.support.graphql_ws import signed_in, url_of
from tests.support.world import NOW, Cast, World

SERVER_ERRORS = {"INTERNAL_SERVER_ERROR", "TIMEOUT", "UNAVAILABLE"}

CALLS = fields_with_arguments(build_schema(schema.as_str()))
REQUESTS = [call for call in CALLS if call.path[0] != "subscription"]
SUBSCRIPTIONS = [call for call in CALLS if call.path[0] == "subscription"]


@pytest.fixture
async def rows(world: World, cast: Cast) -> None:
    """Rows of every kind that Alice can see and change, whose ids begin with 1."""
    source = await world.source(cast.alice)
    await world.route(source, cast.team)
    await world.member(cast.team, cast.charlie, rank=2, has_text_alert=True)
    for status in (LeadOfferStatus.SENT, LeadOfferStatus.SCHEDULED):
        lead = await world.lead(cast.alice, cast.team, source_id=source.id)
        await world.offer(lead, cast.alice, status=status)
        await world.offer(lead, cast.bob, rank=2**31 - 1, status=status)
    await world.lead(cast.alice, cast.team)


def check(body: Any, given_arguments: frozenset[str]) -> None:
    """Check that a response has no error of the server's, and blames no argument that was not given."""
    for error in body.get("errors", ()):
        extensions = error["extensions"]
        assert extensions["code"] not in SERVER_ERRORS, body
        blamed = [extensions.get("field"), *(problem["field"] for problem in extensions.get("problems", ()))]
        assert {field.partition(".")[0] for field in blamed if field} <= given_arguments, body


def test_the_walk_finds_the_arguments_of_nested_fields() -> None:
    found = {str(call) for call in CALLS}
    assert {"query.lead.offers", "query.team.members", "query.team.distributionOptions"} <= found
    assert {"mutation.setAway", "mutation.createLead", "subscription.leadOfferChanged"} <= found


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("call", REQUESTS, ids=str)
@examples(40)
@given(data=st.data())
async def test_no_value_breaks_a_request(
    api: Api, cast: Cast, caplog: pytest.LogCaptureFixture, call: Call, data: DataObject
) -> None:
    alice = api.user(cast.alice)
    operation = data.draw(operations(call))
    headers = {"authorization": f"Bearer {alice.token}", "content-type": "application/json"}
    response = await alice.http.post("/graphql", content=operation.body, headers=headers)
    assert response.status_code < 500, response.text
    check(response.json(), operation.given)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("call", SUBSCRIPTIONS, ids=str)
@examples(40)
@given(data=st.data())
async def test_no_value_breaks_a_subscription(live: Api, cast: Cast, call: Call, data: DataObject) -> None:
    operation = data.draw(operations(call))
    async with signed_in(url_of(live), live.user(cast.alice).token) as client:
        try:
            json.loads(operation.body, parse_float=_finite)
        except (ValueError, RecursionError):
            return
        await client.socket.send(f'{{"id": "1", "type": "subscribe", "payload": {operation.body}}}')
        await client.send(type="ping")
        while (message := await client.receive())["type"] != "pong":
            check({"errors": message["payload"]} if message["type"] == "error" else message["payload"], operation.given)


def _finite(text: str) -> float:
    if float(text) in (float("inf"), float("-inf")):
        raise ValueError
    return float(text)


CYCLES = [
    ("team(id: 1)", ["members(limit: 1, where: {not: {id: {in: [7]}}})", "data", "team"]),
    ("team(id: 1)", ["distributionOptions(limit: 1)", "data", "team"]),
    ("lead(id: 1)", ["offers(limit: 1, where: {and: [{rank: {nin: [1]}}, {not: {id: {in: [7]}}}]})", "data", "lead"]),
    ("lead(id: 1)", ["rollouts", "createdOffers", "lead"]),
]


def _nested(root: str, cycle: list[str], depth: int) -> str:
    """Return a query of this depth, whose last field is a leaf."""
    fields = [root, *(cycle[i % len(cycle)] for i in range(depth - 2))]
    fields.append("total" if "limit" in fields[-1] else "id")
    return f"{{ {' { '.join(fields)} {'} ' * len(fields)}"


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("cycle", CYCLES, ids=str)
@pytest.mark.parametrize("deepest", [Settings.model_fields["max_depth"].default, DEEPEST_DOCUMENT])
async def test_the_deepest_documents_are_answered(
    *, database_url: str, cast: Cast, caplog: pytest.LogCaptureFixture, cycle: tuple[str, list[str]], deepest: int
) -> None:
    settings = settings_for(database_url, max_depth=deepest, max_cost=HIGHEST_COST)
    async with serving(settings) as api:
        alice = api.user(cast.alice)
        await alice.ask("mutation { submitLeadOffers(leadId: 3) { createdCount } }")
        for depth in range(deepest - 2, deepest + 1):
            (root,) = (await alice.ask(_nested(*cycle, depth))).values()
            assert root is not None
        assert (await alice.refusal(_nested(*cycle, deepest + 1)))["code"] == "QUERY_TOO_COMPLEX"
        write = "mutation { assignLead(id: 1, userId: 1) { "
        if cycle[0].startswith("lead"):
            await alice.ask(f"{write}{_nested('lead', cycle[1], deepest - 1)[1:]} }}")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_an_absence_ends_in_the_years_that_are_stored(api: Api, cast: Cast) -> None:
    alice, set_away = (
        api.user(cast.alice),
        "mutation ($until: DateTime!) { setAway(until: $until) { me { awayUntil } } }",
    )
    for until in ("2201-01-01", "9999-12-31T23:59:59.999Z"):
        refused = await alice.refusal(set_away, until=until)
        assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", "until")
    last = "2200-12-31T23:59:59.999Z"
    assert (await alice.ask(set_away, until=last))["setAway"] == {"me": {"awayUntil": last}}
    before = {"createdAt": {"gt": "0001-01-01", "lt": "9999-12-31T23:59:59.999Z"}}
    found = await alice.ask("query ($where: TeamWhere) { teams(where: $where) { total } }", where=before)
    assert found["teams"]["total"] == 1


async def test_a_lead_of_the_future_is_claimed_without_a_negative_duration(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team, created_at=NOW.replace(year=2030))
    offer = await world.offer(lead, cast.bob)
    metrics = (await api.http.get("/metrics")).text
    claim = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { lead { timeToClaim } } } }"
    claimed = await api.user(cast.bob).ask(claim, id=offer.id)
    assert claimed["claimLeadOffer"]["leadOffer"]["lead"]["timeToClaim"] == 0
    assert _speed_to_lead((await api.http.get("/metrics")).text) == _speed_to_lead(metrics)


@pytest.mark.parametrize("timezone", ["Etc/GMT+12", "Pacific/Kiritimati"])
@pytest.mark.parametrize("is_early", [True, False])
async def test_leads_from_before_the_bounds_are_worked_on(
    *,
    database_url: str,
    world: World,
    cast: Cast,
    caplog: pytest.LogCaptureFixture,
    is_early: bool,
    timezone: str,
) -> None:
    """Imports have accepted the years 1 to 9999. Such rows are not changed, and nothing fails because of them."""
    # asyncpg writes the very first and last microsecond as infinite
    first, last = datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    agent = await world.member_user(cast.team, "Dora", rank=2, timezone=timezone)
    creator = await world.user("Eve", timezone=timezone)
    team = await world.team(creator, mins_until_next_alert=2**31 - 1)
    for user in (agent, cast.bob, cast.charlie):
        await world.member(team, user, rank=user.id)
    lead = await world.lead(creator, team, created_at=first if is_early else last, watched_since=first)
    due = await world.offer(lead, agent, team, notify_at=first, order_method=OrderMethod.RANK)
    ahead: dict[str, Any] = {"status": LeadOfferStatus.SCHEDULED, "order_method": OrderMethod.RANK}
    await world.offer(lead, cast.bob, team, notify_at=last, **ahead)
    await world.add(
        Delivery(offer_id=due.id, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=first)
    )

    settings = settings_for(database_url, fallback="console")
    async with serving(settings) as api:
        eve = api.user(creator)
        worker = Worker(api.database, settings, make_channels(settings), lambda: NOW)
        assert "1 deliveries due: 1 sent" in await worker.run_once()
        created = await eve.ask("mutation ($id: ID!) { submitLeadOffers(leadId: $id) { createdCount } }", id=lead.id)
        assert created["submitLeadOffers"]["createdCount"] == 1
        await api.user(agent).ask("mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }", id=due.id)
        await eve.ask("mutation ($id: ID!) { releaseLead(id: $id) { lead { timeToClaim } } }", id=lead.id)
        board = "{ leads { data { createdAt timeToClaim offers { data { notifyAt } } } } }"
        assert await planned(eve, board) == await resolved(eve, board)
        worker = Worker(api.database, settings, make_channels(settings), lambda: NOW)
        await worker.run_once()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def _speed_to_lead(metrics: str) -> float:
    (line,) = [line for line in metrics.splitlines() if line.startswith("lead_offers_speed_to_lead_seconds_sum")]
    return float(line.split()[1])
