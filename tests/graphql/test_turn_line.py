"""Team.turns: the line in SQL is the line of app/domain/turns.py, and weights bring a member forward in it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, delete, select, update

from app.db.engine import Database
from app.db.models import Team, Turn, User
from app.domain.enums import OrderMethod, RequestStatus
from app.domain.turns import MemberTurns, order_line, stride
from tests.graphql.test_plans import planned, resolved
from tests.graphql.test_teams import SET, refused
from tests.support.api import Api
from tests.support.examples import examples
from tests.support.world import NOW, Cast, World

LINE = "query ($id: ID!) { team(id: $id) { turns { user { id } weight taken lastTakenAt } } }"


async def line(viewer: Api, team: Team) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = (await viewer.ask(LINE, id=team.id))["team"]["turns"]
    return turns


async def members(world: World, team: Team, number: int) -> list[User]:
    return [await world.member_user(team, f"Member {i}") for i in range(number)]


async def used(world: World, team: Team, user: User, mark: int, taken: int = 1, minutes: int = 0) -> None:
    last_taken_at = NOW + timedelta(minutes=minutes)
    await world.add(Turn(team_id=team.id, user_id=user.id, mark=mark, taken=taken, last_taken_at=last_taken_at))


MARKS = st.sampled_from([0, 1, 2, 10**9, 2 * 10**9, 2**53, 2**62])
TURNS = st.none() | st.builds(
    MemberTurns, MARKS, st.integers(1, 3), st.integers(0, 2).map(lambda minutes: NOW + timedelta(minutes=minutes))
)


async def set_line(database: Database, team: Team, mark: int, turns: Mapping[int, MemberTurns | None]) -> None:
    async with database.write() as session:
        await session.exec(update(Team).where(col(Team.id) == team.id).values(turn_mark=mark))
        await session.exec(delete(Turn))
        session.add_all(
            Turn(team_id=team.id, user_id=user_id, mark=t.mark, taken=t.taken, last_taken_at=t.last_taken_at)
            for user_id, t in turns.items()
            if t is not None
        )


@pytest.fixture
async def five(world: World, cast: Cast) -> tuple[Team, list[int]]:
    """A team with five members, and their ids."""
    team = await world.team(cast.alice, OrderMethod.ROUND_ROBIN)
    return team, [user.id for user in await members(world, team, 5)]


@examples(60)
@given(mark=MARKS, turns=st.lists(TURNS, min_size=5, max_size=5))
async def test_the_line_is_in_the_order_of_the_planner(
    api: Api,
    cast: Cast,
    database: Database,
    five: tuple[Team, list[int]],
    mark: int,
    turns: Sequence[MemberTurns | None],
) -> None:
    team, ids = five
    known = dict(zip(ids, turns, strict=True))
    await set_line(database, team, mark, known)
    viewer = api.user(cast.alice)
    shown = await line(viewer, team)
    assert [int(turn["user"]["id"]) for turn in shown] == order_line(known, mark)
    for turn in shown:
        used = known[int(turn["user"]["id"])]
        at = used and f"{used.last_taken_at:%Y-%m-%dT%H:%M:%S}.000Z"
        assert (turn["taken"], turn["lastTakenAt"]) == (used.taken if used else 0, at)
    variables = {"id": str(team.id)}
    assert await planned(viewer, LINE, variables=variables) == await resolved(viewer, LINE, variables=variables)


async def test_only_members_who_can_be_offered_leads_are_in_the_line(api: Api, world: World, cast: Cast) -> None:
    """Being away or capped does not matter: it passes."""
    team = await world.team(cast.alice, OrderMethod.ROUND_ROBIN)
    away = await world.member_user(team, "Away", away_until=NOW + timedelta(hours=1), max_leads_per_day=0)
    for status in (RequestStatus.PENDING, RequestStatus.DECLINED):
        await world.member(team, await world.user(), status)
    await world.membership(team, cast.bob)  # without an option
    gone = await world.member_user(team, "Gone", is_active=False)
    await world.option(team, cast.charlie)  # who is no longer a member
    await used(world, team, gone, mark=0)
    await world.option(team, cast.alice, weight=4)
    shown = await line(api.user(cast.alice), team)
    assert [(turn["user"]["id"], turn["weight"]) for turn in shown] == [(str(cast.alice.id), 4), (str(away.id), 1)]


async def test_the_line_is_shown_to_the_creator_of_a_round_robin_team(api: Api, world: World, cast: Cast) -> None:
    team = await world.team(cast.alice, OrderMethod.ROUND_ROBIN)
    await world.member(team, cast.bob)
    assert len(await line(api.user(cast.alice), team)) == 1
    assert (await api.user(cast.bob).ask(LINE, id=team.id))["team"] == {"turns": None}
    for method in (OrderMethod.RANK, OrderMethod.TIME):
        team.order_method = method
        await world.add(team)
        assert (await api.user(cast.alice).ask(LINE, id=team.id))["team"] == {"turns": None}


async def test_weights_and_maxima_have_bounds(api: Api, cast: Cast) -> None:
    alice, sent = api.user(cast.alice), {"teamId": cast.team.id, "userId": cast.bob.id}
    returned = SET.replace("rank", "rank weight maxLeadsPerDay")
    for field, wrong, right in (
        ("weight", (0, -1, 101, 2**31 - 1), (1, 100)),
        ("maxLeadsPerDay", (-1, 1_001), (0, 1_000)),
    ):
        for value in wrong:
            assert await refused(alice, SET, input=sent | {field: value}) == f"BAD_USER_INPUT input.{field}"
        for value in right:
            option = (await alice.ask(returned, input=sent | {field: value}))["setDistributionOption"]
            assert option["distributionOption"][field] == value
    for left_out in ({}, {"weight": None, "maxLeadsPerDay": None}):
        option = (await alice.ask(returned, input=sent | left_out))["setDistributionOption"]["distributionOption"]
        assert (option["weight"], option["maxLeadsPerDay"]) == (1, None)


async def marks(database: Database) -> dict[tuple[int, int], int]:
    async with database.read() as session:
        return {(turn.team_id, turn.user_id): turn.mark for turn in await session.exec(select(Turn))}


async def test_a_heavier_weight_brings_a_member_forward(api: Api, world: World, cast: Cast, database: Database) -> None:
    """The mark comes down to one stride above the team's, and never goes up. Nobody else's mark changes."""
    alice, team = api.user(cast.alice), await world.team(cast.alice, OrderMethod.ROUND_ROBIN, turn_mark=1_000)
    first, second, newcomer = await members(world, team, 3)
    other = await world.team(cast.alice, OrderMethod.ROUND_ROBIN)
    await used(world, team, first, mark=1_000 + stride(1))
    await used(world, team, second, mark=1_000 + stride(1))
    await used(world, other, first, mark=stride(1))
    others = {(team.id, second.id): 1_000 + stride(1), (other.id, first.id): stride(1)}
    for weight, mark in ((1, stride(1)), (4, stride(4)), (1, stride(4)), (100, stride(100)), (None, stride(100))):
        await alice.ask(SET, input={"teamId": team.id, "userId": first.id, "weight": weight})
        assert await marks(database) == others | {(team.id, first.id): 1_000 + mark}
    await alice.ask(SET, input={"teamId": team.id, "userId": newcomer.id, "weight": 7})
    assert (team.id, newcomer.id) not in await marks(database)
    remove = "mutation ($id: ID!) { removeDistributionOption(id: $id) { removedDistributionOptionId } }"
    option = (await alice.ask(SET, input={"teamId": team.id, "userId": second.id}))["setDistributionOption"]
    await alice.ask(remove, id=option["distributionOption"]["id"])
    assert (await marks(database))[team.id, second.id] == 1_000 + stride(1)
