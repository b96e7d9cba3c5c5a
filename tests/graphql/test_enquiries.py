"""The enquiry of a lead over HTTP: its fields, and external ids, of which a source has each once."""

from typing import Any

import pytest

from app.db.engine import Database
from app.db.models import Contact, Lead
from tests.graphql.test_leads import MARY
from tests.graphql.test_plans import planned, resolved
from tests.graphql.test_teams import count, refused
from tests.support.api import Api
from tests.support.world import Cast, World

FIELDS = "message listingPrice mlsId listingStatus streetAddress city state language externalId"
CREATE = f"mutation ($input: CreateLeadInput!) {{ createLead(input: $input) {{ lead {{ id {FIELDS} }} }} }}"
UPDATE = f"""mutation ($id: ID!, $input: UpdateLeadInput!) {{
  updateLead(id: $id, input: $input) {{ lead {{ id {FIELDS} }} }}
}}"""
READ = f"query ($id: ID!) {{ lead(id: $id) {{ {FIELDS} }} }}"

ENQUIRY: dict[str, Any] = {
    "message": "Is it still for sale?\r\n\r\n\tI can come \U0001f3e1\n-- \nMary \u202b\u05e9\u202c \u2028 \x07 \x7f",
    "listingPrice": 450_000,
    "mlsId": "123",
    "listingStatus": "For Sale",
    "streetAddress": "12 Maple Avenue",
    "city": "San Jos\u00e9",
    "state": "CA",
    "language": "es",
    "externalId": "4711",
}
NOTHING = dict.fromkeys(ENQUIRY)


async def test_a_lead_says_what_was_asked(api: Api, cast: Cast) -> None:
    alice = api.user(cast.alice)
    lead = (await alice.ask(CREATE, input={"contact": MARY} | ENQUIRY))["createLead"]["lead"]
    assert lead == {"id": lead["id"]} | ENQUIRY
    assert (await alice.ask(READ, id=lead["id"]))["lead"] == ENQUIRY
    request: dict[str, Any] = {"variables": {"id": lead["id"]}}
    assert await planned(alice, READ, **request) == await resolved(alice, READ, **request)

    bare = (await alice.ask(CREATE, input={"contact": MARY}))["createLead"]["lead"]
    assert bare == {"id": bare["id"]} | NOTHING


async def test_an_enquiry_is_patched(api: Api, cast: Cast) -> None:
    alice = api.user(cast.alice)
    lead = (await alice.ask(CREATE, input={"contact": MARY} | ENQUIRY))["createLead"]["lead"]
    assert (await alice.ask(UPDATE, id=lead["id"], input={}))["updateLead"]["lead"] == lead
    changes = {"message": " Sold? \n", "listingPrice": 0, "city": None}
    changed = lead | {"message": "Sold?", "listingPrice": 0, "city": None}
    for _ in range(2):
        assert (await alice.ask(UPDATE, id=lead["id"], input=changes))["updateLead"]["lead"] == changed
    cleared = {name: None for name in ENQUIRY if name != "externalId"}
    nothing = (await alice.ask(UPDATE, id=lead["id"], input=cleared))["updateLead"]["lead"]
    assert nothing == {"id": lead["id"]} | NOTHING | {"externalId": "4711"}


async def test_an_external_id_does_not_change(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, external_id="1")
    told = await refused(api.user(cast.alice), UPDATE, id=lead.id, input={"externalId": "2"})
    assert told.startswith("BAD_USER_INPUT")


LONGEST: dict[str, Any] = {
    "message": "\U0001f600" * 10_000,
    "listingPrice": 2**31 - 1,
    **{name: "\U0001f600" * 255 for name in ENQUIRY if name not in ("message", "listingPrice")},
}


async def test_the_largest_values_are_accepted(api: Api, cast: Cast) -> None:
    lead = (await api.user(cast.alice).ask(CREATE, input={"contact": MARY} | LONGEST))["createLead"]["lead"]
    assert lead == {"id": lead["id"]} | LONGEST


WRONG: list[tuple[str, Any]] = [
    *(("message", value) for value in ("", " \n\t", "\u200b\u2800", "x" * 10_001, "a\0b", "\ud800")),
    *(("listingPrice", value) for value in (-1, 2**31, 1.5, "450000", True)),
    *(
        (name, value)
        for name in ENQUIRY
        if name not in ("message", "listingPrice")
        for value in ("", " ", "\u2800", "x" * 256, "a\0b", "a\nb", "\u202eb", 7)
    ),
]


async def test_invalid_values_are_reported(api: Api, world: World, cast: Cast, database: Database) -> None:
    alice, lead = api.user(cast.alice), await world.lead(cast.alice)
    before = await count(database, Contact)
    for field, value in WRONG:
        if value != "\ud800":  # no JSON of this client has half a surrogate pair
            told = await refused(alice, CREATE, input={"contact": MARY, field: value})
            assert told == f"BAD_USER_INPUT input.{field}", (field, value)
            if field != "externalId":
                told = await refused(alice, UPDATE, id=lead.id, input={field: value})
                assert told == f"BAD_USER_INPUT input.{field}", (field, value)
    assert (await count(database, Lead), await count(database, Contact)) == (1, before)


async def test_all_problems_are_reported_at_once(api: Api, cast: Cast) -> None:
    wrong = {"message": "x" * 10_001, "listingPrice": -1, "externalId": ""}
    refusal = await api.user(cast.alice).refusal(CREATE, input={"contact": MARY} | wrong)
    assert refusal["problems"] == [
        {"field": "input.message", "message": "has 10,001 characters, and at most 10,000 are allowed"},
        {"field": "input.listingPrice", "message": "-1 is not a price from 0 to 2,147,483,647"},
        {"field": "input.externalId", "message": "must not be empty"},
    ]


async def test_a_second_lead_with_an_external_id_of_the_source_is_refused(
    api: Api, world: World, cast: Cast, database: Database
) -> None:
    alice, bob = api.user(cast.alice), api.user(cast.bob)
    one, other = [await world.source(cast.alice, name) for name in ("Website", "Portal")]
    ids = {}
    for source in (None, one.id, other.id):
        new = {"contact": MARY, "sourceId": source, "externalId": "4711", "message": "Hello"}
        ids[source] = (await alice.ask(CREATE, input=new))["createLead"]["lead"]["id"]
        for spelled in ("4711", " 4711\n"):
            refusal = await alice.refusal(CREATE, input=new | {"externalId": spelled})
            assert (refusal["code"], refusal["leadId"]) == ("CONFLICT", ids[source])
    assert len({*ids.values()}) == 3
    assert (await count(database, Lead), await count(database, Contact)) == (3, 3), "nothing was written"

    for fields in ({"externalId": "4711a"}, {"externalId": "47110"}, {}):
        assert await alice.ask(CREATE, input={"contact": MARY, "sourceId": one.id} | fields)
    assert await alice.ask(CREATE, input={"contact": MARY, "externalId": "a"})
    assert await alice.ask(CREATE, input={"contact": MARY, "externalId": "A"})
    assert await bob.ask(CREATE, input={"contact": MARY, "externalId": "4711"}), "the ids of others do not matter"


async def test_a_lead_does_not_move_to_a_source_that_knows_its_external_id(api: Api, world: World, cast: Cast) -> None:
    alice = api.user(cast.alice)
    one, other, third = [await world.source(cast.alice, name) for name in ("Website", "Portal", "Fair")]
    known = await world.lead(cast.alice, source_id=one.id, external_id="4711", city="Austin")
    lead = await world.lead(cast.alice, source_id=other.id, external_id="4711")
    unsourced = await world.lead(cast.alice, external_id="4711")
    without = await world.lead(cast.alice, source_id=other.id)
    for moved, to, holder in ((lead, one.id, known), (lead, None, unsourced), (unsourced, other.id, lead)):
        refusal = await alice.refusal(UPDATE, id=moved.id, input={"sourceId": to, "city": "Boston"})
        assert (refusal["code"], refusal["leadId"]) == ("CONFLICT", str(holder.id))
    assert (await alice.ask(READ, id=lead.id))["lead"]["city"] is None
    assert await alice.ask(UPDATE, id=without.id, input={"sourceId": one.id})
    assert await alice.ask(UPDATE, id=lead.id, input={"sourceId": other.id, "city": "Boston"})
    assert await alice.ask(UPDATE, id=lead.id, input={"sourceId": third.id})
    assert await alice.ask(UPDATE, id=unsourced.id, input={"sourceId": other.id})


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"externalId": {"eq": "a"}}, [1, 2]),
    ({"externalId": {"eq": "A"}}, []),
    ({"externalId": {"in": ["a", "b"]}, "sourceId": {"eq": "1"}}, [1, 3]),
    ({"externalId": {"eq": None}}, [4]),
    ({"externalId": {"ne": "a"}}, [3, 4]),
    ({"externalId": {"gte": "b"}}, [3]),
    ({"sourceId": {"eq": "2"}}, [2]),
    ({"sourceId": {"eq": None}}, [4]),
    ({"sourceId": {"nin": ["1", "x"]}}, [2, 4]),
    ({"city": {"eq": "Austin"}}, [1, 3]),
    ({"city": {"eq": "austin"}}, []),
    ({"city": {"ne": None}}, [1, 2, 3]),
    ({"listingPrice": {"gte": 100, "lt": 300}}, [1, 2]),
    ({"listingPrice": {"in": [100, 0]}}, [1, 4]),
    ({"listingPrice": {"eq": None}}, [3]),
    ({"not": {"listingPrice": {"gt": 100}}}, [1, 3, 4]),
]


@pytest.fixture
async def four(world: World, cast: Cast) -> None:
    for name in ("Website", "Portal"):
        await world.source(cast.alice, name)
    await world.lead(cast.alice, source_id=1, external_id="a", city="Austin", listing_price=100)
    await world.lead(cast.alice, source_id=2, external_id="a", city="Boston", listing_price=200)
    await world.lead(cast.alice, source_id=1, external_id="b", city="Austin")
    await world.lead(cast.alice, listing_price=0)


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("where", "ids"), FILTERS)
async def test_leads_are_filtered(api: Api, cast: Cast, where: dict[str, Any], ids: list[int]) -> None:
    query = "query ($where: LeadWhere) { leads(where: $where) { total data { id } } }"
    found = (await api.user(cast.alice).ask(query, where=where))["leads"]
    assert [int(lead["id"]) for lead in found["data"]] == ids
    assert found["total"] == len(ids)


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("direction", "ids"), [("ASC", [4, 1, 2, 3]), ("DESC", [2, 1, 4, 3])])
async def test_leads_are_sorted_by_price(api: Api, cast: Cast, direction: str, ids: list[int]) -> None:
    """Leads without a price come last in both directions, on every page."""
    page = f"limit: 1, sort: {{field: LISTING_PRICE, direction: {direction}}}"
    found = [(await api.user(cast.alice).ask(f"{{ leads({page}, skip: {i}) {{ data {{ id }} }} }}")) for i in range(4)]
    assert [int(lead["id"]) for each in found for lead in each["leads"]["data"]] == ids
