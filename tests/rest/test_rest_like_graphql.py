"""REST and GraphQL return the same for the same query: random ones, and those of the real Feathers client."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db.models import Lead
from app.domain.enums import LeadOfferStatus
from app.lists.filters import SEARCHES, Operator
from app.main import create_app
from app.rest.filter_fields import FILTER_FIELDS
from app.rest.query_string import OPERATORS
from tests.support.api import Api, settings_for
from tests.support.examples import examples
from tests.support.feathers import FIND, GET, SUBMIT, Query, address, as_rest, variables
from tests.support.live_server import live_server
from tests.support.node import needs_node, node
from tests.support.world import NOW, Cast, World

IDS = [1, 2, 3, 7, 2**40]
FLAGS = [True, False]
VALUES: dict[str, list[Any]] = {
    "id": IDS,
    "lead_id": IDS,
    "user_id": IDS,
    "team_id": IDS,
    "notify_at": [
        "2026-03-02",
        "2026-03-02T09:00:00.000Z",
        "2026-03-02T16:00:00+07:00",
        "2026-03-02T01:00:00.001-08:00",
    ],
    "rank": [-1, 0, 1, 2],
    "assign_automatically": FLAGS,
    "has_call_alert": FLAGS,
    "has_text_alert": FLAGS,
    "has_email_alert": FLAGS,
    "status": list(LeadOfferStatus),
}


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    """A lead of Alice with offers of every kind."""
    enquiry: dict[str, Any] = {"message": "Hello\n\x07", "listing_price": 0, "mls_id": "1", "external_id": "007"}
    lead = await world.lead(cast.alice, cast.team, city="San Jos\u00e9", state="CA", language="es", **enquiry)
    other = await world.team(cast.alice)
    for i in range(10):
        await world.offer(
            lead,
            await world.user(),
            other if i % 3 == 0 else None,
            list(LeadOfferStatus)[i % 6],
            rank=[None, 0, 1, 1, 2][i % 5],
            notify_at=[NOW, None, NOW + timedelta(milliseconds=1), NOW - timedelta(days=1)][i % 4],
            assign_automatically=i % 2 == 0,
            has_call_alert=[None, True, False][i % 3],
            has_email_alert=[True, False, None][i % 3],
        )
    return lead


def _values(name: str, written: str) -> st.SearchStrategy[Any]:
    values = st.sampled_from(VALUES[name])
    if written in ("$in", "$nin"):
        return st.lists(values, min_size=1, max_size=3)
    return values | st.none() if written == "$ne" else values


def _operators(name: str) -> list[str]:
    return [written for written, operator in OPERATORS.items() if operator in FILTER_FIELDS[name].operators]


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[str, Any]:
    name = draw(st.sampled_from(sorted(FILTER_FIELDS)))
    if draw(st.booleans()):
        return name, draw(st.sampled_from(VALUES[name]) | st.none())
    chosen = draw(st.lists(st.sampled_from(_operators(name)), min_size=1, max_size=3, unique=True))
    return name, {written: draw(_values(name, written)) for written in chosen}


CONDITIONS = st.lists(comparisons(), min_size=1, max_size=3).map(dict)


def _combined(parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    lists = st.lists(parts, min_size=1, max_size=3)
    return st.builds(lambda name, branches: {name: branches}, st.sampled_from(["$or", "$and"]), lists) | st.builds(
        lambda one, branches: one | {"$or": branches}, parts, lists
    )


SORTS = st.dictionaries(st.sampled_from(sorted(FILTER_FIELDS)), st.sampled_from([1, -1]), min_size=1, max_size=3)
PAGING = st.fixed_dictionaries({}, optional={"$limit": st.integers(0, 12), "$skip": st.integers(0, 5), "$sort": SORTS})
QUERIES = st.builds(lambda where, paging: where | paging, st.just({}) | st.recursive(CONDITIONS, _combined), PAGING)


@settings(examples(150), derandomize=True)
@given(query=QUERIES, data=st.data())
async def test_random_queries(api: Api, cast: Cast, lead: Lead, query: Query, data: st.DataObject) -> None:
    alice = api.user(cast.alice)
    sent = address(query, lambda spellings: data.draw(st.sampled_from(spellings)))
    rest = await alice.rest("GET", f"/leads/{lead.id}/offers?{sent}")
    assert rest.status_code == 200, rest.text
    graphql = await alice.ask(FIND, leadId=str(lead.id), **variables(query))
    assert rest.json() == as_rest(graphql["leadOffers"])


def _queries() -> list[dict[str, Any]]:
    """Return queries with every operator on every field, with null where it is allowed, and combined."""
    single = [
        {name: {w: VALUES[name][1]}} for name in FILTER_FIELDS for w in _operators(name) if w not in ("$in", "$nin")
    ]
    lists = [{name: {written: VALUES[name][:2]}} for name in FILTER_FIELDS for written in ("$in", "$nin")]
    nulls = [{name: value} for name in FILTER_FIELDS for value in (None, {"$ne": None})]
    equal = [{name: VALUES[name][0]} for name in FILTER_FIELDS]
    sorts = [{"$sort": {name: direction, "id": -1}} for name in FILTER_FIELDS if name != "id" for direction in (1, -1)]
    return [
        {},
        *single,
        *lists,
        *nulls,
        *equal,
        *sorts,
        {"id": {"$in": list(range(1, 60, 2))}},
        {"rank": {"$gte": 0, "$lt": 2}, "assign_automatically": True},
        {"$or": [{"rank": 2}, {"notify_at": None}], "status": {"$ne": "Sent"}},
        {"$and": [{"$or": [{"rank": 1}, {"rank": None}]}, {"has_call_alert": {"$ne": True}}]},
        {"$limit": 2, "$skip": 2, "$sort": {"notify_at": -1}},
        {"$limit": 0},
    ]


@needs_node
async def test_find_of_the_feathers_client(api: Api, database_url: str, cast: Cast, lead: Lead) -> None:
    questions = _queries()
    answers = await _feathers(api, database_url, cast, [["find", lead.id, query] for query in questions])
    for query, answer in zip(questions, answers, strict=True):
        graphql = await api.user(cast.alice).ask(FIND, leadId=str(lead.id), **variables(query))
        assert answer == as_rest(graphql["leadOffers"]), query


@needs_node
async def test_get_of_the_feathers_client(api: Api, database_url: str, cast: Cast, lead: Lead) -> None:
    ids = range(1, 11)
    answers = await _feathers(api, database_url, cast, [["get", lead.id, i, {}] for i in ids])
    for i, answer in zip(ids, answers, strict=True):
        assert answer == as_rest((await api.user(cast.alice).ask(GET, id=str(i)))["leadOffer"])
    [some] = await _feathers(api, database_url, cast, [["get", lead.id, 1, {"$select": ["rank", "team"]}]])
    assert set(some) == {"id", "rank", "team"}


@needs_node
async def test_create_of_the_feathers_client(api: Api, database_url: str, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    first, second = await _feathers(api, database_url, cast, [["create", lead.id, {}]] * 2)
    submitted = (await api.user(cast.alice).ask(SUBMIT, leadId=str(lead.id)))["submitLeadOffers"]
    offers = as_rest(submitted["offers"])
    assert offers
    assert submitted["createdCount"] == 0
    assert first == second == {"total": len(offers), "limit": len(offers), "skip": 0, "data": offers}


@needs_node
async def test_errors_of_the_feathers_client(api: Api, database_url: str, cast: Cast, lead: Lead) -> None:
    calls: list[list[Any]] = [
        ["find", lead.id, {"rank": "first"}],
        ["find", 99, {}],
        ["get", lead.id, 99, {}],
        ["create", lead.id, {"rank": 1}],
        ["patch", lead.id, 1, {}],
    ]
    answers = await _feathers(api, database_url, cast, calls)
    refused = [(answer["error"], answer["code"], answer["data"]["code"], answer["errors"]) for answer in answers]
    words = "must be a whole number from -2147483648 to 2147483647, not 'first'"
    assert refused == [
        ("BadRequest", 400, "BAD_USER_INPUT", {"rank": words}),
        ("NotFound", 404, "NOT_FOUND", {}),
        ("NotFound", 404, "NOT_FOUND", {}),
        ("BadRequest", 400, "BAD_USER_INPUT", {"rank": "cannot be set: the body must be an empty object"}),
        ("MethodNotAllowed", 405, "BAD_REQUEST", {}),
    ]


async def _feathers(api: Api, database_url: str, cast: Cast, calls: list[list[Any]]) -> Any:
    """Run Alice's calls in the client. As in the original documentation, its base URL ends in a slash."""
    token = api.user(cast.alice).token
    assert token
    with live_server(create_app(settings_for(database_url), clock=lambda: NOW)) as url:
        return await node("feathers.mjs", f"{url}/", token, orjson.dumps(calls).decode())


def test_every_operator_is_covered() -> None:
    asked = {w for query in _queries() for value in query.values() if isinstance(value, dict) for w in value}
    assert asked >= {f"${operator}" for operator in set(Operator) - SEARCHES - {Operator.EQ}}
