"""Field access: the fields of an object depend on the viewer and the object, never on the path between them."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import true
from sqlmodel import select
from strawberry.utils.str_converters import to_camel_case

from app.access import field_access
from app.access.field_access import AccessContext, AccessRule
from app.db.engine import Database
from app.db.models import Delivery, Team, User
from app.domain.enums import Channel, DeliveryStatus, LeadOfferStatus, OrderMethod, RequestStatus
from tests.graphql.test_plans import resolved
from tests.support.api import Api
from tests.support.world import NOW, Cast, World

HIDDEN = None


@pytest.fixture
async def team(world: World, cast: Cast) -> Team:
    """Alice's; Bob accepted its invitation, Charlie has not answered, David declined. All were offered a lead."""
    following = await world.team(cast.alice, name="Pond")
    team = await world.team(
        cast.alice,
        OrderMethod.ROUND_ROBIN,
        zipcodes=["94105"],
        name="Bay",
        keeps_contacts=True,
        members_per_lead=2,
        next_team_id=following.id,
        mins_until_next_team=5,
    )
    david = await world.user("David")
    await world.member(team, cast.bob, rank=1)
    await world.member(team, cast.charlie, RequestStatus.PENDING, rank=2)
    await world.member(team, david, RequestStatus.DECLINED, rank=3)
    lead = await world.lead(cast.alice, team, zipcode="94105", type="Buyer", message="Hello", **LISTING)
    for user in (cast.bob, cast.charlie, david):
        ahead = NOW + timedelta(hours=1)
        offer = await world.offer(lead, user, team, LeadOfferStatus.SCHEDULED, notify_at=ahead)
        await world.add(
            Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=ahead)
        )
    return team


async def david_of(world: World) -> User:
    async with world.database.read() as session:
        return await session.get_one(User, 4)


TEAM = """
  name orderMethod minsUntilNextAlert createdAt creator { firstName } distributionZipcodes
  members { total } distributionOptions { total data { user { firstName } } } warnings { code user { firstName } }
  keepsContacts membersPerLead minsUntilNextTeam nextTeam { name } turns { user { firstName } weight taken lastTakenAt }
"""
OFFERED = f"{{ leadOffers {{ data {{ team {{ {TEAM} }} lead {{ team {{ {TEAM} }} }} }} }} }}"
INVITED = f"{{ teamMemberships(sort: [{{field: ID, direction: DESC}}], limit: 1) {{ data {{ team {{ {TEAM} }} }} }} }}"
FOUND = f"query ($id: ID!) {{ team(id: $id) {{ {TEAM} }} }}"


@pytest.mark.parametrize(
    ("name", "private", "options", "warned"),
    [
        ("alice", True, ["Bob", "Charlie", "David"], ["Charlie", "David"]),
        ("bob", True, ["Bob"], HIDDEN),
        ("charlie", False, HIDDEN, HIDDEN),
        ("david", False, HIDDEN, HIDDEN),
    ],
)
async def test_a_team(
    api: Api, world: World, cast: Cast, team: Team, *, name: str, private: bool, options: Any, warned: Any
) -> None:
    viewer = api.user(await david_of(world) if name == "david" else getattr(cast, name))
    expected = {
        "name": "Bay",
        "orderMethod": "ROUND_ROBIN",
        "minsUntilNextAlert": 0,
        "createdAt": "2026-03-02T09:00:00.000Z",
        "creator": {"firstName": "Alice"},
        "distributionZipcodes": ["94105"] if private else HIDDEN,
        "members": {"total": 3} if private else HIDDEN,
        "distributionOptions": options
        and {"total": len(options), "data": [{"user": {"firstName": one}} for one in options]},
        "warnings": warned
        and [
            *({"code": "INVITATION_NOT_ACCEPTED", "user": {"firstName": one}} for one in warned),
            {"code": "NEXT_TEAM_HAS_NOBODY", "user": None},
        ],
        "keepsContacts": True,
        "membersPerLead": 2,
        "minsUntilNextTeam": 5 if warned else HIDDEN,
        "nextTeam": {"name": "Pond"} if warned else HIDDEN,
        "turns": [{"user": {"firstName": "Bob"}, "weight": 1, "taken": 0, "lastTakenAt": None}] if warned else HIDDEN,
    }
    for offer in (await viewer.ask(OFFERED))["leadOffers"]["data"]:
        assert offer == {"team": expected, "lead": {"team": expected}}
    assert (await viewer.ask(FOUND, id=team.id))["team"] == (expected if private else None)
    for membership in (await viewer.ask(INVITED))["teamMemberships"]["data"]:
        assert membership["team"] == expected


LEAD = """
  id distributionTarget teamSelectionMethod zipcode type createdAt claimedAt claimedVia timeToClaim
  creator { firstName } source { name } team { name } claimedBy { firstName } offers { total } rollouts { id }
  message listingPrice mlsId listingStatus streetAddress city state language externalId
  claims { via }
"""
LISTING: dict[str, Any] = {
    "listing_price": 450_000,
    "mls_id": "ML1",
    "listing_status": "For Sale",
    "street_address": "12 Maple Avenue",
    "city": "Austin",
    "state": "TX",
    "language": "es",
    "external_id": "4711",
}


@pytest.mark.parametrize(("name", "offers", "rollouts"), [("alice", 3, []), ("bob", 1, HIDDEN), ("charlie", 1, HIDDEN)])
async def test_an_offer_shows_its_lead_before_the_lead_is_visible(
    api: Api, cast: Cast, team: Team, name: str, offers: int, rollouts: Any
) -> None:
    viewer = api.user(getattr(cast, name))
    for offer in (await viewer.ask(f"{{ leadOffers {{ data {{ lead {{ {LEAD} }} }} }} }}"))["leadOffers"]["data"]:
        assert offer["lead"] == {
            "id": offer["lead"]["id"],
            "distributionTarget": "TEAM_ROLLOUT",
            "teamSelectionMethod": "SPECIFIC_TEAM",
            "zipcode": "94105",
            "type": "Buyer",
            "createdAt": "2026-03-02T09:00:00.000Z",
            "claimedAt": None,
            "claimedVia": None,
            "timeToClaim": None,
            "creator": {"firstName": "Alice"},
            "source": None,
            "team": {"name": "Bay"},
            "claimedBy": None,
            "offers": {"total": offers},
            "rollouts": rollouts,
            "message": "Hello" if name == "alice" else HIDDEN,
            **{to_camel_case(field): value for field, value in LISTING.items()},
            "claims": rollouts,
        }
    assert (await viewer.ask("{ leads { total } }"))["leads"]["total"] == (1 if name == "alice" else 0)


async def test_a_contact_shows_its_details_to_its_owner_and_to_the_holder_of_a_lead(
    api: Api, world: World, cast: Cast
) -> None:
    contact = await world.contact(cast.alice)
    lead, other = [await world.lead(cast.alice, cast.team, contact=contact) for _ in range(2)]
    for user in (cast.bob, cast.charlie):
        await world.offer(lead, user)
        await world.offer(other, user)
    read = "{ leads { data { contact { firstName email mobilePhone } } } }"

    async def seen_by(user: User) -> list[dict[str, Any]]:
        return [one["contact"] for one in (await api.user(user).ask(read))["leads"]["data"]]

    full = {"firstName": "Mary", "email": "mary@example.com", "mobilePhone": "+12025550123"}
    names = {"firstName": "Mary", "email": HIDDEN, "mobilePhone": HIDDEN}
    assert [await seen_by(user) for user in (cast.alice, cast.bob, cast.charlie)] == [
        [full] * 2,
        [names] * 2,
        [names] * 2,
    ]
    await world.claimed(lead, cast.bob)
    assert [await seen_by(user) for user in (cast.alice, cast.bob, cast.charlie)] == [
        [full] * 2,
        [full] * 2,
        [names] * 2,
    ]


async def test_a_lead_shows_its_message_to_its_creator_and_its_holder(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team, message="Hello")
    for user in (cast.bob, cast.charlie):
        await world.offer(lead, user)

    async def seen() -> list[str | None]:
        read = "{ leads { data { message } } }"
        viewers = (cast.alice, cast.bob, cast.charlie)
        return [(await api.user(user).ask(read))["leads"]["data"][0]["message"] for user in viewers]

    assert await seen() == ["Hello", HIDDEN, HIDDEN]
    await world.claimed(lead, cast.bob)
    assert await seen() == ["Hello", "Hello", HIDDEN]
    await world.claimed(lead, cast.charlie)
    assert await seen() == ["Hello", HIDDEN, "Hello"]


@pytest.mark.parametrize("many", [1, 10])
async def test_the_messages_of_a_page_take_one_statement(api: Api, world: World, cast: Cast, many: int) -> None:
    """Whether the viewer holds a lead is asked for all leads together."""
    contact = await world.contact(cast.alice)
    for i in range(many):
        lead = await world.lead(cast.alice, cast.team, contact, message=f"Hello {i}")
        await world.offer(lead, cast.bob)
        if i % 2 == 0:
            await world.claimed(lead, cast.bob)
    bob, query = api.user(cast.bob), "{ leads { data { message } } }"
    statements = api.statements()
    _, body = await resolved(bob, query)
    found = [lead["message"] for lead in json.loads(body)["data"]["leads"]["data"]]
    assert found == [f"Hello {i}" if i % 2 == 0 else None for i in range(many)]
    assert len(statements) == 3  # the viewer, the page, and who holds its leads


async def test_a_user_shows_private_fields_only_to_themself(api: Api, world: World, cast: Cast) -> None:
    cast.bob.phone, cast.bob.away_until = "+12025550188", NOW + timedelta(days=1)
    cast.bob.quiet_hours_start, cast.bob.quiet_hours_end = "22:00", "07:00"
    await world.add(cast.bob)
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob)
    await world.claimed(lead, cast.bob)
    fields = "firstName lastName email timezone phone awayUntil quietHours { start end }"
    read = f"{{ leadOffers {{ data {{ user {{ {fields} }} lead {{ claimedBy {{ {fields} }} }} }} }} }}"
    public = {
        "firstName": "Bob",
        "lastName": "Example",
        "email": cast.bob.email,
        "timezone": "America/Los_Angeles",
        "phone": HIDDEN,
        "awayUntil": HIDDEN,
        "quietHours": HIDDEN,
    }
    own = public | {
        "phone": "+12025550188",
        "awayUntil": "2026-03-03T09:00:00.000Z",
        "quietHours": {"start": "22:00", "end": "07:00"},
    }
    for viewer, shown in ((cast.alice, public), (cast.bob, own)):
        offers = (await api.user(viewer).ask(read))["leadOffers"]["data"]
        assert offers == [{"user": shown, "lead": {"claimedBy": shown}}]
    assert (await api.user(cast.bob).ask(f"{{ me {{ {fields} }} }}"))["me"] == own


async def test_an_offer_and_its_deliveries_show_everything(api: Api, cast: Cast, team: Team) -> None:
    fields = "notifyAt rank hasEmailAlert status deliveries { channel status attempts nextAttemptAt sentAt error }"
    read = f"{{ leadOffers {{ data {{ user {{ firstName }} {fields} }} }} }}"
    by_alice = (await api.user(cast.alice).ask(read))["leadOffers"]["data"]
    for user in (cast.bob, cast.charlie):
        own = (await api.user(user).ask(read))["leadOffers"]["data"]
        assert own == [offer for offer in by_alice if offer["user"]["firstName"] == user.first_name]
        assert own[0]["deliveries"][0]["nextAttemptAt"] == "2026-03-02T10:00:00.000Z"


RULES = [rule for rule in vars(field_access).values() if isinstance(rule, AccessRule)]


@pytest.mark.usefixtures("team")
async def test_a_row_grants_what_the_rule_grants_in_sql(database: Database, world: World, cast: Cast) -> None:
    """Own objects are judged without a statement, so both forms of a rule must agree."""
    contact = await world.contact(cast.alice)
    await world.claimed(await world.lead(cast.alice, cast.team, contact=contact), cast.bob)
    for user, hours in ((cast.alice, -1), (cast.bob, 0), (cast.charlie, 1)):
        user.away_until = NOW + timedelta(hours=hours)
        await world.add(user)

    granted: dict[tuple[str, bool], int] = defaultdict(int)
    for rule, viewer in product(RULES, (cast.alice, cast.bob, cast.charlie)):
        table = rule.model.__table__.alias()  # type: ignore[attr-defined]
        condition = rule.sql(table.c, AccessContext(viewer.id, NOW, true()))
        async with database.read() as session:
            rows: Sequence[Any] = (await session.exec(select(rule.model))).all()
            in_sql = set((await session.exec(select(table.c.id).where(condition))).all())
        by_row = {row.id for row in rows if rule.grants_owner(row, viewer.id, NOW)}
        assert by_row == in_sql if rule.or_else is None else by_row <= in_sql
        granted[rule.model.__name__, rule.until is not None] += len(in_sql)
    assert all(granted.values())
    assert granted["User", True] == 1, "only Charlie's absence lies in the future"
