"""Limits, next teams and turns in an import: the rows that they become, and what the API would refuse, too."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlmodel import select

from app.db.engine import Database
from app.db.models import Team, Turn
from app.domain.enums import OrderMethod
from app.domain.turns import stride
from app.importer.report import NotImported
from tests.importer.test_import import Document, everything, ibm, load, rows
from tests.support.world import NOW

MINUTES = {"mins_until_next_team": 5}


def team(number: int, following: int | None = None, **fields: Any) -> dict[str, Any]:
    """Return a team of user 4, perhaps with the next one."""
    chain = {} if following is None else {"next_team_id": following, **MINUTES}
    return {"id": number, "name": f"Team {number}", "creator_id": 4, **chain, **fields}


def with_teams(*teams: dict[str, Any]) -> Document:
    """Return Dorothy's offer with more teams."""
    document = ibm()
    document["teams"] += teams
    return document


async def problems(database: Database, document: Document) -> tuple[str, ...]:
    before = await everything(database)
    with pytest.raises(NotImported) as refused:
        await load(database, document)
    assert await everything(database) == before
    return refused.value.problems


async def test_every_new_field_arrives(database: Database) -> None:
    document = with_teams(
        team(
            10,
            order_method="Round Robin",
            mins_until_next_alert="15",
            members_per_lead="2",
            keeps_contacts="yes",
            next_team={"id": 6},
            mins_until_next_team="30.0",
        )
    )
    members: list[dict[str, Any]] = [
        {"team_id": 10, "user_id": 4, "weight": "3", "max_leads_per_day": 0, "mins_until_lead_offer": 30},
        {"team_id": 10, "user_id": 5},
    ]
    document["team_member_distribution_options"] += members
    report = await load(database, document)
    (changed,) = report.adjusted
    assert changed[1] == "of a team ordered round robin: mins_until_lead_offer set to 0"
    _ibm, added = await rows(database, "teams")
    assert added["order_method"] is OrderMethod.ROUND_ROBIN
    assert {name: added[name] for name in ("mins_until_next_alert", "members_per_lead", "keeps_contacts")} == {
        "mins_until_next_alert": 15,
        "members_per_lead": 2,
        "keeps_contacts": True,
    }
    assert (added["next_team_id"], added["mins_until_next_team"]) == (6, 30)
    options = [row for row in await rows(database, "distribution_options") if row["team_id"] == 10]
    assert [(row["weight"], row["max_leads_per_day"], row["mins_until_lead_offer"]) for row in options] == [
        (3, 0, 0),
        (1, None, 0),
    ]


async def test_the_rows_of_a_chain_may_be_in_any_order(database: Database) -> None:
    """Each references another; a batch of the driver is written row by row."""
    first = 100
    for order in permutations(range(4)):
        ids = [first + position for position in range(4)]
        chain = [team(number, following) for number, following in zip(ids, [*ids[1:], None], strict=True)]
        await load(database, with_teams(*(chain[position] for position in order)))
        first += 10
    assert await load(database, with_teams(team(1, 2), team(2, 3), team(3, 4), team(4, 5), team(5)))


@pytest.mark.parametrize(
    ("teams", "problem"),
    [
        (
            [team(10, mins_until_next_team=5)],
            "teams[1].next_team_id: must be given if there are minutes until the next team",
        ),
        ([team(10, next_team_id=6)], "teams[1].mins_until_next_team: must be given if there is a next team"),
        ([team(10, 99)], "teams[1].next_team_id: 99 is not an id in teams"),
        ([team(10, 6, creator_id=5)], "teams[1].next_team_id: 6 is not a team of the same creator"),
        ([team(10, 10)], "teams[1].next_team_id: 10 leads back to this team, or to one that comes before it"),
        (
            [team(10, 6, mins_until_next_team=525_601)],
            "teams[1].mins_until_next_team: 525601 is not a number of minutes",
        ),
        ([team(10, members_per_lead=0)], "teams[1].members_per_lead: 0 is not a number of members from 1 to 200"),
        ([team(10, members_per_lead=201)], "teams[1].members_per_lead: 201 is not a number of members from 1 to 200"),
        ([team(10, keeps_contacts="maybe")], 'teams[1].keeps_contacts: "maybe" is not true or false'),
        (
            [team(10, 11), team(11, 12), team(12, 13), team(13, 14), team(14, 15), team(15)],
            "teams[1].next_team_id: 11 makes a chain of more than 5 teams",
        ),
    ],
)
async def test_what_the_api_refuses(database: Database, teams: list[dict[str, Any]], problem: str) -> None:
    assert (await problems(database, with_teams(*teams)))[0].startswith(problem)
    allowed = with_teams(team(10, 6, members_per_lead=200, keeps_contacts="no", mins_until_next_team=525_600))
    assert await load(database, allowed)


async def test_a_ring_is_reported_for_each_of_its_teams(database: Database) -> None:
    told = await problems(database, with_teams(team(10, 11), team(11, 10), team(12, 10), team(13)))
    back = "leads back to this team, or to one that comes before it"
    assert told == tuple(f"teams[{n}].next_team_id: {i} {back}" for n, i in ((1, 11), (2, 10), (3, 10)))


async def test_teams_of_the_database_count(database: Database) -> None:
    """Also those that the file does not name."""
    await load(database, with_teams(team(10, 11), team(11, 12), team(12, 13), team(13, 14), team(14)))
    longer: Document = {"teams": [team(20, 10)]}
    assert await problems(database, longer) == ("teams[0].next_team_id: 10 makes a chain of more than 5 teams",)
    assert await load(database, {"teams": [team(20, 11)]})


async def test_a_deleted_team_follows_nobody(database: Database) -> None:
    await load(database, with_teams(team(10), team(11)))
    async with database.write() as session:
        (await session.get_one(Team, 10)).deleted_at = NOW
    assert await problems(database, {"teams": [team(20, 10)]}) == ("teams[0].next_team_id: 10 is a deleted team",)
    assert await load(database, {"teams": [team(20, 11)]})


@pytest.mark.parametrize(
    ("field", "value"), [("weight", 0), ("weight", 101), ("max_leads_per_day", -1), ("max_leads_per_day", 1001)]
)
async def test_the_bounds_of_an_option(database: Database, field: str, value: int) -> None:
    document = ibm()
    option = document["team_member_distribution_options"][0]
    option[field] = value
    (told,) = await problems(database, document)
    assert told.startswith(f"team_member_distribution_options[0].{field}: {value} is not a ")
    option[field] = {0: 1, 101: 100, -1: 0, 1001: 1000}[value]
    assert await load(database, document)


async def test_an_imported_option_brings_the_mark_of_its_member_down(database: Database) -> None:
    """A member whose option was removed keeps the mark, and an option of another weight is imported."""
    document = ibm()
    options = document.pop("team_member_distribution_options")
    await load(database, document)
    async with database.write() as session:
        session.add(Turn(team_id=6, user_id=5, mark=stride(1), taken=1, last_taken_at=NOW - timedelta(days=1)))
    await load(database, {"team_member_distribution_options": [options[0] | {"weight": 4}]})
    async with database.read() as session:
        assert (await session.exec(select(Turn.mark))).one() == stride(4)
