"""Lead sources and lead routes over HTTP."""

import asyncio
from typing import Any

from app.db.engine import Database
from app.db.models import LeadRoute, LeadSource
from tests.graphql.test_teams import count, refused
from tests.support.api import Api
from tests.support.world import Cast, World

SOURCE = "mutation ($name: String!) { createLeadSource(name: $name) { leadSource { id name } } }"
ROUTE = "leadRoute { id leadSource { id } distributionTarget teamSelectionMethod team { id } leadType }"
CREATE = f"mutation ($input: CreateLeadRouteInput!) {{ createLeadRoute(input: $input) {{ {ROUTE} }} }}"
UPDATE = f"""mutation ($id: ID!, $input: UpdateLeadRouteInput!) {{
  updateLeadRoute(id: $id, input: $input) {{ {ROUTE} }}
}}"""
DELETE = "mutation ($id: ID!) { deleteLeadRoute(id: $id) { deletedLeadRouteId } }"
ROLLOUT = {"distributionTarget": "TEAM_ROLLOUT"}
BY_ZIPCODE = ROLLOUT | {"teamSelectionMethod": "ZIPCODE"}


async def test_a_second_source_of_the_same_name_returns_the_first(api: Api, cast: Cast, database: Database) -> None:
    alice = api.user(cast.alice)
    first = (await alice.ask(SOURCE, name=" Straße "))["createLeadSource"]["leadSource"]
    assert first["name"] == "Straße"
    assert (await alice.ask(SOURCE, name="STRASSE"))["createLeadSource"]["leadSource"] == first
    other = (await api.user(cast.bob).ask(SOURCE, name="Straße"))["createLeadSource"]["leadSource"]
    assert other["id"] != first["id"]
    assert (await alice.ask("{ leadSources { data { id } } }"))["leadSources"]["data"] == [{"id": first["id"]}]
    assert await refused(api.user(cast.alice, "read"), SOURCE, name="Website") == "FORBIDDEN"


async def test_a_source_needs_a_name(api: Api, cast: Cast) -> None:
    for name in ("", "  ", "x" * 256, "a\0b", "\u200b", "\u2800", "\u202eIBM", "I\u0001BM", "I\nBM"):
        assert await refused(api.user(cast.alice), SOURCE, name=name) == "BAD_USER_INPUT name"
    assert await api.user(cast.alice).ask(SOURCE, name="x" * 255)


async def test_concurrent_sources_of_one_name_are_one(api: Api, cast: Cast, database: Database) -> None:
    for i in range(3):
        names = [f"Source {i}", f"source {i}", f" SOURCE {i}", f"Source {i} "]
        answers = await asyncio.gather(*(api.user(cast.alice).ask(SOURCE, name=name) for name in names))
        assert len({answer["createLeadSource"]["leadSource"]["id"] for answer in answers}) == 1
    assert await count(database, LeadSource) == 3


async def test_a_route_stores_only_what_its_target_uses(api: Api, world: World, cast: Cast) -> None:
    source, alice = await world.source(cast.alice), api.user(cast.alice)
    team = {"id": str(cast.team.id)}
    for lead_type, sent, method, of_team in (
        (None, {"distributionTarget": "MYSELF", "teamSelectionMethod": "ZIPCODE", "teamId": cast.team.id}, None, None),
        ("Buyer", ROLLOUT | {"teamSelectionMethod": "SPECIFIC_TEAM", "teamId": cast.team.id}, "SPECIFIC_TEAM", team),
        ("Seller", BY_ZIPCODE | {"teamId": cast.team.id}, "ZIPCODE", None),
    ):
        new = {"leadSourceId": source.id, "leadType": lead_type} | sent
        assert (await alice.ask(CREATE, input=new))["createLeadRoute"]["leadRoute"].items() >= {
            "leadSource": {"id": str(source.id)},
            "distributionTarget": sent["distributionTarget"],
            "teamSelectionMethod": method,
            "team": of_team,
            "leadType": lead_type,
        }.items()


WRONG: list[tuple[dict[str, Any], str]] = [
    (ROLLOUT, "input.teamSelectionMethod"),
    (ROLLOUT | {"teamSelectionMethod": "SPECIFIC_TEAM"}, "input.teamId"),
    (ROLLOUT | {"teamSelectionMethod": "SPECIFIC_TEAM", "teamId": "x"}, "input.teamId"),
    (BY_ZIPCODE | {"teamId": "999"}, "input.teamId"),
    (BY_ZIPCODE | {"leadSourceId": "999"}, "input.leadSourceId"),
    (BY_ZIPCODE | {"leadSourceId": "x"}, "input.leadSourceId"),
    (BY_ZIPCODE | {"leadType": " "}, "input.leadType"),
    (BY_ZIPCODE | {"leadType": "x" * 256}, "input.leadType"),
]


async def test_invalid_values_are_reported(api: Api, world: World, cast: Cast, database: Database) -> None:
    source, other, alice = await world.source(cast.alice), await world.source(cast.alice, "Other"), api.user(cast.alice)
    route = await world.route(other)
    for sent, field in WRONG:
        new = {"leadSourceId": source.id} | sent
        assert await refused(alice, CREATE, input=new) == f"BAD_USER_INPUT {field}", sent
        assert await refused(alice, UPDATE, id=route.id, input=sent) == f"BAD_USER_INPUT {field}", sent
    assert await count(database, LeadRoute) == 1
    assert await alice.ask(UPDATE, id=route.id, input=BY_ZIPCODE)


async def test_a_route_needs_a_source_and_a_team_of_its_creator(api: Api, world: World, cast: Cast) -> None:
    """Bob is a member and sees the team, but only Alice can route leads to it."""
    theirs, own = await world.source(cast.alice), await world.source(cast.bob)
    to_team = ROLLOUT | {"teamSelectionMethod": "SPECIFIC_TEAM", "teamId": cast.team.id}
    bob, alice = api.user(cast.bob), api.user(cast.alice)
    assert await refused(bob, CREATE, input=BY_ZIPCODE | {"leadSourceId": theirs.id}) == (
        "BAD_USER_INPUT input.leadSourceId"
    )
    assert await refused(bob, CREATE, input=to_team | {"leadSourceId": own.id}) == "BAD_USER_INPUT input.teamId"
    assert await alice.ask(CREATE, input=to_team | {"leadSourceId": theirs.id})


async def test_two_routes_of_one_source_and_type_conflict(api: Api, world: World, cast: Cast) -> None:
    source, alice = await world.source(cast.alice), api.user(cast.alice)
    new = BY_ZIPCODE | {"leadSourceId": source.id}
    assert await alice.ask(CREATE, input=new)
    assert await refused(alice, CREATE, input=new) == "CONFLICT"
    buyers = (await alice.ask(CREATE, input=new | {"leadType": "Buyer"}))["createLeadRoute"]["leadRoute"]
    assert await refused(alice, CREATE, input=new | {"leadType": " BUYER "}) == "CONFLICT"
    assert await refused(alice, UPDATE, id=buyers["id"], input={"leadType": None}) == "CONFLICT"
    sellers = await alice.ask(UPDATE, id=buyers["id"], input={"leadType": "Seller"})
    assert sellers["updateLeadRoute"]["leadRoute"] == buyers | {"leadType": "Seller"}


async def test_one_of_two_concurrent_routes_is_refused(api: Api, world: World, cast: Cast) -> None:
    for i in range(3):
        source = await world.source(cast.alice, f"Source {i}")
        new = BY_ZIPCODE | {"leadSourceId": source.id}
        answers = await asyncio.gather(*(api.user(cast.alice).send(CREATE, input=new) for _ in range(3)))
        codes = [error["extensions"]["code"] for answer in answers for error in answer.get("errors", ())]
        assert codes == ["CONFLICT", "CONFLICT"]


async def test_an_update_changes_only_the_fields_it_names(api: Api, world: World, cast: Cast) -> None:
    route, alice = await world.route(await world.source(cast.alice), cast.team, "Buyer"), api.user(cast.alice)
    before = (await alice.ask(UPDATE, id=route.id, input={}))["updateLeadRoute"]["leadRoute"]
    assert before["team"] == {"id": str(cast.team.id)}
    by_zipcode = (await alice.ask(UPDATE, id=route.id, input={"teamSelectionMethod": "ZIPCODE"}))["updateLeadRoute"]
    assert by_zipcode["leadRoute"] == before | {"teamSelectionMethod": "ZIPCODE", "team": None}
    mine = (await alice.ask(UPDATE, id=route.id, input={"distributionTarget": "MYSELF"}))["updateLeadRoute"]
    assert mine["leadRoute"].items() >= {"teamSelectionMethod": None, "team": None, "leadType": "Buyer"}.items()
    all_types = (await alice.ask(UPDATE, id=route.id, input={"leadType": None}))["updateLeadRoute"]
    assert all_types["leadRoute"]["leadType"] is None
    for field in ("leadSourceId", "distributionTarget"):
        assert await refused(alice, UPDATE, id=route.id, input={field: None}) == f"BAD_USER_INPUT input.{field}"


async def test_only_the_creator_sees_and_changes_a_route(api: Api, world: World, cast: Cast) -> None:
    route = await world.route(await world.source(cast.alice), cast.team)
    read = "{ leadRoutes { total data { id } } }"
    for stranger in (api.user(cast.bob), api.user(cast.charlie)):
        assert await stranger.ask(read) == {"leadRoutes": {"total": 0, "data": []}}
        assert await refused(stranger, UPDATE, id=route.id, input={}) == "NOT_FOUND"
        assert await refused(stranger, DELETE, id=route.id) == "NOT_FOUND"
    alice = api.user(cast.alice)
    assert await alice.ask(read) == {"leadRoutes": {"total": 1, "data": [{"id": str(route.id)}]}}
    assert await alice.ask(UPDATE, id=route.id, input={})
    assert await alice.ask(DELETE, id=route.id) == {"deleteLeadRoute": {"deletedLeadRouteId": str(route.id)}}
    assert await refused(alice, DELETE, id=route.id) == "NOT_FOUND"
