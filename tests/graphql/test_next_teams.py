"""Limits, next teams and turns as settings of a team: each refusal, and the same input where it is allowed."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from sqlmodel import col, select

from app.db.engine import Database
from app.db.models import Team
from app.domain.enums import OrderMethod
from tests.graphql.test_teams import CREATE, DELETE, SET, UPDATE, refused
from tests.support.api import Api
from tests.support.world import Cast, World

SETTINGS = (
    "{ teams(sort: [{field: ID}]) { data { id membersPerLead keepsContacts minsUntilNextTeam nextTeam { id } } } }"
)


async def settings_of(viewer: Api, team_id: object) -> dict[str, Any]:
    teams = (await viewer.ask(SETTINGS))["teams"]["data"]
    (found,) = (team for team in teams if team["id"] == str(team_id))
    return {name: value for name, value in found.items() if name != "id"}


@pytest.fixture
async def teams(world: World, cast: Cast) -> list[Team]:
    """Six more teams of Alice's, none of which names another."""
    return [await world.team(cast.alice, name=f"Team {letter}") for letter in "ABCDEF"]


def link(following: Team | None, minutes: int | None = 5) -> dict[str, Any]:
    return {"nextTeamId": following and following.id, "minsUntilNextTeam": minutes}


async def linked(world: World, *teams: Team) -> None:
    """Make each team name the one after it."""
    for team, following in pairwise(teams):
        team.next_team_id, team.mins_until_next_team = following.id, 5
        await world.add(team)


async def test_a_new_team_has_no_limit_and_no_next_team(api: Api, cast: Cast) -> None:
    alice = api.user(cast.alice)
    defaults = {"membersPerLead": None, "keepsContacts": False, "minsUntilNextTeam": None, "nextTeam": None}
    for sent in ({}, {"membersPerLead": None, "keepsContacts": None, "nextTeamId": None, "minsUntilNextTeam": None}):
        made = (await alice.ask(CREATE, input={"name": "Bay"} | sent))["createTeam"]["team"]
        assert await settings_of(alice, made["id"]) == defaults


async def test_the_settings_of_a_new_team_and_of_an_update(api: Api, cast: Cast, teams: list[Team]) -> None:
    alice = api.user(cast.alice)
    sent = {"membersPerLead": 200, "keepsContacts": True} | link(teams[0], 525_600)
    full = {
        "membersPerLead": 200,
        "keepsContacts": True,
        "minsUntilNextTeam": 525_600,
        "nextTeam": {"id": str(teams[0].id)},
    }
    made = (await alice.ask(CREATE, input={"name": "Bay"} | sent))["createTeam"]["team"]
    assert await settings_of(alice, made["id"]) == full
    await alice.ask(UPDATE, id=teams[1].id, input=sent)
    for _ in range(2):
        await alice.ask(UPDATE, id=teams[1].id, input={"name": "Bay"})
        assert await settings_of(alice, teams[1].id) == full
    cleared = {"membersPerLead": None, "keepsContacts": False} | link(None, None)
    await alice.ask(UPDATE, id=teams[1].id, input=cleared)
    assert await settings_of(alice, teams[1].id) == {
        "membersPerLead": None,
        "keepsContacts": False,
        "minsUntilNextTeam": None,
        "nextTeam": None,
    }


async def test_numbers_out_of_bounds_are_refused(api: Api, cast: Cast, teams: list[Team]) -> None:
    alice = api.user(cast.alice)
    for field, wrong, right in (
        ("membersPerLead", (0, -1, 201, 2**31 - 1), (1, 200)),
        ("minsUntilNextTeam", (-1, 525_601), (0, 525_600)),
    ):
        following = link(teams[0]) if field == "minsUntilNextTeam" else {}
        for value in wrong:
            sent = following | {field: value}
            assert await refused(alice, CREATE, input={"name": "Bay"} | sent) == f"BAD_USER_INPUT input.{field}"
            assert await refused(alice, UPDATE, id=teams[1].id, input=sent) == f"BAD_USER_INPUT input.{field}"
        for value in right:
            assert await alice.ask(CREATE, input={"name": "Bay"} | following | {field: value})
            assert await alice.ask(UPDATE, id=teams[1].id, input=following | {field: value})
    told = await refused(alice, UPDATE, id=teams[1].id, input={"keepsContacts": None})
    assert told == "BAD_USER_INPUT input.keepsContacts"


async def test_a_next_team_and_its_minutes_come_together(api: Api, cast: Cast, teams: list[Team]) -> None:
    """A patch is checked together with what the team has already."""
    alice, a, b = api.user(cast.alice), teams[0], teams[1]
    for sent, missing in (
        ({"nextTeamId": b.id}, "minsUntilNextTeam"),
        ({"nextTeamId": b.id, "minsUntilNextTeam": None}, "minsUntilNextTeam"),
        ({"minsUntilNextTeam": 0}, "nextTeamId"),
        ({"minsUntilNextTeam": 0, "nextTeamId": None}, "nextTeamId"),
    ):
        assert await refused(alice, CREATE, input={"name": "Bay"} | sent) == f"BAD_USER_INPUT input.{missing}"
        assert await refused(alice, UPDATE, id=a.id, input=sent) == f"BAD_USER_INPUT input.{missing}"
    await alice.ask(UPDATE, id=a.id, input=link(b, 0))
    await alice.ask(UPDATE, id=a.id, input={"minsUntilNextTeam": 7})
    await alice.ask(UPDATE, id=a.id, input={"nextTeamId": teams[2].id})
    assert await refused(alice, UPDATE, id=a.id, input={"nextTeamId": None}) == "BAD_USER_INPUT input.nextTeamId"
    told = await refused(alice, UPDATE, id=a.id, input={"minsUntilNextTeam": None})
    assert told == "BAD_USER_INPUT input.minsUntilNextTeam"
    found = await settings_of(alice, a.id)
    assert (found["nextTeam"], found["minsUntilNextTeam"]) == ({"id": str(teams[2].id)}, 7)
    assert await alice.ask(UPDATE, id=a.id, input=link(None, None))


async def test_a_next_team_is_a_live_team_of_the_same_creator(
    api: Api, world: World, cast: Cast, teams: list[Team]
) -> None:
    """Membership of the other team does not count."""
    alice, a = api.user(cast.alice), teams[0]
    others = await world.team(cast.bob)
    await world.membership(others, cast.alice)
    assert await alice.ask(DELETE, id=teams[1].id)
    for unusable in (others.id, teams[1].id, "999", "x", 2**63):
        sent = {"nextTeamId": unusable, "minsUntilNextTeam": 5}
        assert await refused(alice, CREATE, input={"name": "Bay"} | sent) == "BAD_USER_INPUT input.nextTeamId"
        assert await refused(alice, UPDATE, id=a.id, input=sent) == "BAD_USER_INPUT input.nextTeamId"
    assert await alice.ask(UPDATE, id=a.id, input=link(teams[2]))
    assert await alice.ask(CREATE, input={"name": "Bay"} | link(teams[2]))
    bobs = {"nextTeamId": others.id, "minsUntilNextTeam": 5}
    assert await api.user(cast.bob).ask(CREATE, input={"name": "Bay"} | bobs)


async def test_a_chain_does_not_lead_back(api: Api, world: World, cast: Cast, teams: list[Team]) -> None:
    alice, (a, b, c, *_) = api.user(cast.alice), teams
    await linked(world, a, b, c)
    for team, following in ((a, a), (b, a), (c, a), (c, b), (c, c)):
        told = await refused(alice, UPDATE, id=team.id, input=link(following))
        assert told == "BAD_USER_INPUT input.nextTeamId"
    for team, following in ((a, c), (c, teams[3]), (b, teams[3]), (c, b)):
        assert await alice.ask(UPDATE, id=team.id, input=link(following))


async def test_a_chain_has_at_most_five_teams(api: Api, world: World, cast: Cast, teams: list[Team]) -> None:
    """The teams before the one that is changed count, too."""
    alice, (a, b, c, d, e, f) = api.user(cast.alice), teams
    await linked(world, b, c, d, e, f)
    before = {"name": "Sixth"} | link(b)
    assert await refused(alice, CREATE, input=before) == "BAD_USER_INPUT input.nextTeamId"
    for team, following in ((a, b), (f, a)):
        told = await refused(alice, UPDATE, id=team.id, input=link(following))
        assert told == "BAD_USER_INPUT input.nextTeamId"
    assert await alice.ask(UPDATE, id=a.id, input=link(c))
    assert await alice.ask(UPDATE, id=c.id, input=link(None, None))
    assert await alice.ask(UPDATE, id=f.id, input=link(a))
    assert await refused(alice, UPDATE, id=a.id, input=link(b)) == "BAD_USER_INPUT input.nextTeamId"
    assert await refused(alice, CREATE, input={"name": "Sixth"} | link(d)) == "BAD_USER_INPUT input.nextTeamId"
    assert await alice.ask(CREATE, input={"name": "Fifth"} | link(e))


async def test_simultaneous_updates_close_no_ring(api: Api, cast: Cast, teams: list[Team], database: Database) -> None:
    """Each alone is allowed; one of them is refused. Larger rings are left to the passing on of leads."""
    alice, ring = api.user(cast.alice), teams[:2]
    pairs = zip(ring, [*ring[1:], ring[0]], strict=True)
    answers = await asyncio.gather(
        *(alice.send(UPDATE, id=team.id, input=link(following)) for team, following in pairs)
    )
    codes = [answer["errors"][0]["extensions"]["code"] for answer in answers if "errors" in answer]
    assert codes == ["BAD_USER_INPUT"]
    async with database.read() as session:
        naming = (await session.exec(select(Team.id).where(col(Team.next_team_id).is_not(None)))).all()
    assert len(naming) == 1


async def test_a_team_that_another_one_names_is_not_deleted(
    api: Api, world: World, cast: Cast, teams: list[Team]
) -> None:
    alice, (a, b, c, *_) = api.user(cast.alice), teams
    await linked(world, a, b, c)
    refusal = await alice.send(DELETE, id=b.id)
    assert refusal["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert "Team A" in refusal["errors"][0]["message"]
    assert await refused(alice, DELETE, id=c.id) == "CONFLICT"
    for team in (a, b, c):  # a deleted team names nobody any more
        assert await alice.ask(DELETE, id=team.id)


async def test_a_round_robin_team_has_a_gap_and_no_minutes(api: Api, world: World, cast: Cast) -> None:
    """Ranks are kept and not used; the team's gap stays."""
    alice, team = api.user(cast.alice), await world.team(cast.alice, OrderMethod.TIME)
    await world.member(team, cast.bob, rank=4, mins_until_lead_offer=30)
    sent = {"teamId": team.id, "userId": cast.bob.id, "rank": 4}
    assert await alice.ask(SET, input=sent | {"minsUntilLeadOffer": 30})
    changes = {"orderMethod": "ROUND_ROBIN", "minsUntilNextAlert": 15}
    changed = (await alice.ask(UPDATE, id=team.id, input=changes))["updateTeam"]["team"]
    assert (changed["orderMethod"], changed["minsUntilNextAlert"]) == ("ROUND_ROBIN", 15)
    read = "query ($id: ID!) { team(id: $id) { distributionOptions { data { rank minsUntilLeadOffer } } } }"
    options = {"distributionOptions": {"data": [{"rank": 4, "minsUntilLeadOffer": 0}]}}
    assert (await alice.ask(read, id=team.id))["team"] == options
    late = sent | {"minsUntilLeadOffer": 30}
    assert await refused(alice, SET, input=late) == "BAD_USER_INPUT input.minsUntilLeadOffer"
    assert await alice.ask(SET, input=sent | {"minsUntilLeadOffer": 0})
    for method, gap in (("RANK", 15), ("ROUND_ROBIN", 15), ("TIME", 0), ("ROUND_ROBIN", 0)):
        changed = (await alice.ask(UPDATE, id=team.id, input={"orderMethod": method}))["updateTeam"]["team"]
        assert (changed["orderMethod"], changed["minsUntilNextAlert"]) == (method, gap)
    made = await alice.ask(CREATE, input={"name": "Bay", "orderMethod": "ROUND_ROBIN", "minsUntilNextAlert": 5})
    assert made["createTeam"]["team"]["minsUntilNextAlert"] == 5


WARNINGS = "query ($id: ID!) { team(id: $id) { warnings { code user { firstName } } } }"


async def warned(viewer: Api, team: Team) -> list[str]:
    return [warning["code"] for warning in (await viewer.ask(WARNINGS, id=team.id))["team"]["warnings"]]


async def test_warnings_of_what_follows(api: Api, world: World, cast: Cast, teams: list[Team]) -> None:
    alice, (a, b, *_) = api.user(cast.alice), teams
    await world.member(a, cast.bob)
    assert await warned(alice, a) == []
    await alice.ask(UPDATE, id=a.id, input={"membersPerLead": 1})
    assert await warned(alice, a) == ["LIMIT_WITHOUT_NEXT_TEAM"]
    await alice.ask(UPDATE, id=a.id, input=link(b))
    assert await warned(alice, a) == ["NEXT_TEAM_HAS_NOBODY"]
    pond = {"teamId": b.id, "userId": cast.alice.id, "hasEmailAlert": False}
    await alice.ask(SET, input=pond | {"maxLeadsPerDay": 0})
    assert await warned(alice, a) == ["NEXT_TEAM_HAS_NOBODY"]
    await alice.ask(SET, input=pond)
    assert (await warned(alice, a), await warned(alice, b)) == ([], [])


async def test_nobody_is_never_reached_round_robin(api: Api, world: World, cast: Cast, teams: list[Team]) -> None:
    """By rank, the first member takes each lead automatically; round robin, each has their turn."""
    alice, team = api.user(cast.alice), teams[0]
    await world.member(team, cast.bob, rank=1, assign_automatically=True)
    await world.option(team, cast.alice, rank=2)
    assert await warned(alice, team) == ["NEVER_REACHED"]
    await alice.ask(UPDATE, id=team.id, input={"orderMethod": "ROUND_ROBIN"})
    assert await warned(alice, team) == []
