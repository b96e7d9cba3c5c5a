"""The input of team warnings: the people of each team, and older teams with the same zipcode."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from app.commands.team_warnings import fetch_people
from app.commands.text_opt_outs import opt_out_of_texts
from app.db.engine import Database
from app.db.models import Team
from app.domain.alert_channels import Alerts
from app.domain.enums import RequestStatus
from app.domain.planner import Option
from app.domain.team_warnings import Person
from tests.support.team_warnings import fetch_warnings
from tests.support.world import NOW, Cast, World

DAY = timedelta(days=1)


async def warned(database: Database, *teams: Team) -> list[Sequence[str]]:
    """Return the messages of the warnings of each team."""
    async with database.read() as session:
        found = await fetch_warnings(session, [team.id for team in teams])
    return [[warning.message for warning in found[team.id]] for team in teams]


def goes_to(name: str) -> list[str]:
    return [f"Leads with the zipcode 94105 go to the older team {name}, which has this zipcode too."]


async def test_the_oldest_of_several_teams_is_named(database: Database, world: World, cast: Cast) -> None:
    """The first of three, whichever was written first; of teams of one time the one with the lowest id."""
    shared: dict[str, Any] = {"zipcodes": ["94105"]}
    last = await world.team(cast.alice, name="Last", created_at=NOW + DAY, **shared)
    second = await world.team(cast.alice, name="Second", created_at=NOW, **shared)
    oldest = await world.team(cast.alice, name="Oldest", created_at=NOW - DAY, **shared)
    middle = await world.team(cast.alice, name="Middle", created_at=NOW, **shared)
    told = goes_to("Oldest")
    assert await warned(database, last, second, oldest, middle) == [told, told, [], told]

    same = [await world.team(cast.bob, name=f"Bob {n}", **shared) for n in (1, 2, 3)]
    told = goes_to("Bob 1")
    assert await warned(database, *same) == [[], told, told]


async def test_the_people_of_a_team(database: Database, world: World, cast: Cast) -> None:
    """Everybody active with an option in it, by id. An option or a membership of another team does not count."""
    team, other = await world.team(cast.alice), await world.team(cast.alice)
    number = "+12025550142"
    dora = await world.user("Dora", phone=number, quiet_hours_start="22:00", quiet_hours_end="07:00")
    emil = await world.user("Emil", email=None)
    await world.member(team, emil, RequestStatus.PENDING, rank=3, mins_until_lead_offer=5)
    await world.member(other, emil)
    await world.member(team, dora, rank=2, assign_automatically=True, has_text_alert=True, has_email_alert=False)
    await world.option(team, cast.alice, rank=1)
    await world.option(team, cast.charlie)
    await world.member(team, await world.user("Fred", is_active=False))
    await world.membership(team, cast.bob)
    async with database.write() as session:
        await opt_out_of_texts(session, number, NOW)

    async with database.read() as session:
        people = await fetch_people(session, team.id)

    def person(user: Any, option: Option, **fields: Any) -> Person:
        known: dict[str, Any] = {
            "has_phone": False,
            "takes_texts": True,
            "has_email": True,
            "has_quiet_hours": False,
            "has_accepted": True,
        }
        name = f"{user.first_name} Example"
        return Person(user_id=user.id, name=name, option=option, **(known | fields))

    by_email = Alerts(email=True)
    assert people == [
        person(cast.alice, Option(1, 0, False, by_email)),
        person(cast.charlie, Option(None, 0, False, by_email), has_accepted=False),
        person(dora, Option(2, 0, True, Alerts(text=True)), has_phone=True, takes_texts=False, has_quiet_hours=True),
        person(emil, Option(3, 5, False, by_email), has_email=False, has_accepted=False),
    ]
