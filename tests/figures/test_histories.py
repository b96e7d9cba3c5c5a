"""Figures of generated histories equal a plain recount, on both databases."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.assign import assign_lead
from app.commands.release import release_lead
from app.db.models import Lead, Team, User
from app.domain.figures import FigureGroup, Span
from app.figures import lead_figures, member_figures
from app.figures.member_figures import MEMBER_COUNTS
from app.figures.tables import LEAD_COUNTS, lead_records, member_records
from app.lists.filters import EVERYTHING, AnyOf, Condition, Negation, Operator, Where
from tests.figures.histories import BEGIN, History, Office, count_leads, count_members, read_rows
from tests.support.world import World

ZONES = ("America/Los_Angeles", "UTC", "Pacific/Kiritimati")
FOREVER = (BEGIN - timedelta(days=30), BEGIN + timedelta(days=300))
GROUPS: list[FigureGroup | None] = [None, *FigureGroup]


@pytest.fixture(params=[1, 2])
def history(world: World, request: pytest.FixtureRequest) -> History:
    return History(world, Random(request.param))


@pytest.fixture
async def offices(history: History) -> tuple[Office, Office]:
    """Two offices that share two members. Both have had leads for some days."""
    first = await history.office()
    second = await history.office(first.members[:2])
    for _ in range(6):
        await history.run(first, 25)
        await history.run(second, 8)
    return first, second


async def figures(
    world: World,
    viewer: User,
    span: tuple[datetime, datetime],
    by: FigureGroup | None = None,
    zone: str = "UTC",
    where: Where = EVERYTHING,
) -> list[dict[str, Any]]:
    async with world.database.read() as session:
        return lead_records(await lead_figures(session, viewer.id, Span(*span), by, ZoneInfo(zone), where))


async def of_members(world: World, viewer: User, team: Team, span: tuple[datetime, datetime]) -> dict[int, Any]:
    async with world.database.read() as session:
        found = member_records(await member_figures(session, viewer.id, team.id, Span(*span)))
    return {each.pop("user")["id"]: each for each in found}


def spans(office: Office) -> Sequence[tuple[datetime, datetime]]:
    """All of the history, and parts of it that begin or end with a lead."""
    times = sorted(lead.created_at for lead in office.leads)
    third = len(times) // 3
    return FOREVER, (times[third], times[2 * third]), (times[2], times[2])


async def test_figures_of_leads_equal_the_recount(world: World, offices: tuple[Office, Office]) -> None:
    rows, office = await read_rows(world), offices[0]
    for span in spans(office):
        (whole,) = await figures(world, office.leader, span)
        assert whole["received"] >= max(whole["offered"], whole["claimed"])
        for by in GROUPS:
            for zone in ZONES:
                groups = await figures(world, office.leader, span, by, zone)
                assert groups == count_leads(rows, office.leader, *span, by, zone)
                assert [sum(each[name] for each in groups) for name in LEAD_COUNTS] == [
                    whole[name] for name in LEAD_COUNTS
                ]
    (whole,) = await figures(world, office.leader, FOREVER)
    assert min(whole[name] for name in LEAD_COUNTS) > 0, "the history shows too little"


async def test_filtered_figures_equal_the_recount(world: World, offices: tuple[Office, Office]) -> None:
    rows, office = await read_rows(world), offices[0]
    source = office.sources[0].id
    wanted = AnyOf((Condition("source_id", Operator.EQ, source), Negation(Condition("type", Operator.EQ, "Buyer"))))

    def matches(lead: Lead) -> bool:
        return lead.source_id == source or lead.type != "Buyer"

    for by in GROUPS:
        expected = count_leads(rows, office.leader, *FOREVER, by, "UTC", matches)
        assert await figures(world, office.leader, FOREVER, by, "UTC", wanted) == expected


async def test_figures_of_members_equal_the_recount(world: World, offices: tuple[Office, Office]) -> None:
    """Their claims are the rows of the ledger."""
    rows, shown = await read_rows(world), Counter[str]()
    for office in offices:
        for team in office.teams:
            for begins, ends in spans(office):
                found = await of_members(world, office.leader, team, (begins, ends))
                assert found == count_members(rows, office.leader, team, begins, ends)
                ledger = [each for each in rows.claims if each.team_id == team.id]
                assert sum(each["claims"] for each in found.values()) == sum(
                    begins <= each.claimed_at < ends for each in ledger if each.claimed_at
                )
                for each in found.values():
                    shown.update({name: each[name] for name in MEMBER_COUNTS})
    assert min(shown[name] for name in MEMBER_COUNTS) > 0, "the history shows too little"


async def test_releasing_and_assigning_never_take_a_claim_back(
    world: World, history: History, offices: tuple[Office, Office]
) -> None:
    office = offices[0]

    async def seen() -> tuple[int, Any, Any]:
        (whole,) = await figures(world, office.leader, FOREVER)
        members = [await of_members(world, office.leader, team, FOREVER) for team in office.teams]
        times = [{user: each["time_to_claim"] for user, each in team.items()} for team in members]
        return whole["claimed"], whole["time_to_claim"], times

    def known(before: list[Any], after: list[Any]) -> list[Any]:
        """Leave out users who are new among the members, because a lead was assigned to them."""
        return [{user: now[user] for user in was} for was, now in zip(before, after, strict=True)]

    async def release(session: AsyncSession, lead: Lead) -> None:
        await release_lead(session, office.leader.id, lead.id, history.now)

    async def assign(session: AsyncSession, lead: Lead) -> None:
        user = history.random.choice(office.members)
        await assign_lead(session, office.leader.id, lead.id, user.id, history.now)

    changed = 0
    for lead in office.leads[::3]:
        history.now += timedelta(minutes=3)
        claimed, times, of_users = await seen()
        async with world.database.read() as session:
            changed += (await session.get_one(Lead, lead.id)).claimed_by_id is not None
        for command in history.random.sample([release, assign], 2):
            await history.attempt(partial(command, lead=lead))
            now_claimed, now_times, now_of_users = await seen()
            assert now_claimed >= claimed
            assert now_times == times
            assert known(of_users, now_of_users) == of_users
            claimed = now_claimed
    assert changed > 0


async def test_what_others_do_moves_no_figure(world: World, history: History, offices: tuple[Office, Office]) -> None:
    """Members of my teams work for others, too."""
    mine, other = offices

    async def seen() -> Any:
        groups = [await figures(world, mine.leader, FOREVER, by) for by in GROUPS]
        return groups, [await of_members(world, mine.leader, team, FOREVER) for team in mine.teams]

    before = await seen()
    await history.run(other, 60)
    assert await seen() == before
    for stranger in (other.leader, mine.members[0]):
        for team in mine.teams:
            assert await of_members(world, stranger, team, FOREVER) == {}
    assert (await figures(world, mine.members[0], FOREVER))[0]["received"] == 0
