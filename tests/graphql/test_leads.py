"""Contacts and leads over HTTP: creating and changing them, and the targets that routes give them."""

from typing import Any

import pytest

from app.db.engine import Database
from app.db.models import Contact, Lead
from app.domain.enums import LeadOfferStatus
from tests.graphql.test_lead_routes import BY_ZIPCODE, ROLLOUT
from tests.graphql.test_teams import count, refused
from tests.support.api import Api
from tests.support.world import Cast, World

CONTACT = "contact { id firstName lastName email mobilePhone }"
CREATE_CONTACT = f"mutation ($input: ContactInput!) {{ createContact(input: $input) {{ {CONTACT} }} }}"
UPDATE_CONTACT = f"""mutation ($id: ID!, $input: ContactInput!) {{
  updateContact(id: $id, input: $input) {{ {CONTACT} }}
}}"""
LEAD = f"""lead {{
  id {CONTACT} creator {{ id }} source {{ id }} distributionTarget teamSelectionMethod team {{ id }} zipcode type
  createdAt claimedBy {{ id }} claimedAt claimedVia timeToClaim offers {{ total }}
}}"""
CREATE = f"mutation ($input: CreateLeadInput!) {{ createLead(input: $input) {{ {LEAD} }} }}"
UPDATE = f"mutation ($id: ID!, $input: UpdateLeadInput!) {{ updateLead(id: $id, input: $input) {{ {LEAD} }} }}"
MARY = {"firstName": "Mary", "lastName": "Jackson", "email": "mary@example.com", "mobilePhone": "+12025550123"}


async def test_a_contact_is_patched(api: Api, cast: Cast) -> None:
    alice = api.user(cast.alice)
    contact = (await alice.ask(CREATE_CONTACT, input=MARY))["createContact"]["contact"]
    assert contact == {"id": contact["id"]} | MARY
    changed = await alice.ask(UPDATE_CONTACT, id=contact["id"], input={"firstName": " Ann ", "email": None})
    assert changed["updateContact"]["contact"] == contact | {"firstName": "Ann", "email": None}
    assert (await alice.ask("query ($id: ID!) { contact(id: $id) { firstName } }", id=contact["id"])) == {
        "contact": {"firstName": "Ann"}
    }


async def test_invalid_values_of_a_contact_are_reported(api: Api, cast: Cast, database: Database) -> None:
    alice = api.user(cast.alice)
    for field, value in (
        ("firstName", " "),
        ("firstName", "\u200b"),
        ("firstName", "Ann\n888\t2026"),
        ("lastName", "\u202enoskcaJ"),
        ("lastName", "x" * 256),
        ("email", "mary"),
        ("email", "a b@c"),
        ("email", "mary,al@example.com"),
        ("email", "mary@example.com."),
        ("email", "mary\u200b@example.com"),
        ("mobilePhone", "a\0b"),
        ("mobilePhone", "555-01"),
        ("mobilePhone", "+1 202 555 0142 ext. 7"),
    ):
        assert await refused(alice, CREATE_CONTACT, input={field: value}) == f"BAD_USER_INPUT input.{field}"
        told = await refused(alice, CREATE, input={"contact": {field: value}})
        assert told == f"BAD_USER_INPUT input.contact.{field}"
    assert await count(database, Contact) == 0


async def test_a_phone_number_is_stored_in_one_format(api: Api, cast: Cast) -> None:
    alice = api.user(cast.alice)
    for written in ("(202) 555-0142", "202.555.0142", "+1 202 555 0142", " 12025550142 "):
        made = await alice.ask(CREATE_CONTACT, input={"mobilePhone": written})
        assert made["createContact"]["contact"]["mobilePhone"] == "+12025550142"
    abroad = await alice.ask(CREATE_CONTACT, input={"mobilePhone": "+49 30 901820"})
    assert abroad["createContact"]["contact"]["mobilePhone"] == "+4930901820"


async def test_only_the_owner_finds_and_changes_a_contact(api: Api, world: World, cast: Cast) -> None:
    """The holder of a lead of the contact reads its details but cannot change it."""
    contact = await world.contact(cast.alice)
    await world.claimed(await world.lead(cast.alice, contact=contact), cast.bob)
    read = "query ($id: ID!) { contact(id: $id) { id } contacts { total } }"
    for stranger in (api.user(cast.bob), api.user(cast.charlie)):
        assert await refused(stranger, UPDATE_CONTACT, id=contact.id, input={}) == "NOT_FOUND"
        assert await stranger.ask(read, id=contact.id) == {"contact": None, "contacts": {"total": 0}}
        told = await refused(stranger, CREATE, input={"contactId": contact.id})
        assert told == "BAD_USER_INPUT input.contactId"
    alice, found = api.user(cast.alice), {"contact": {"id": str(contact.id)}, "contacts": {"total": 1}}
    assert await alice.ask(read, id=contact.id) == found
    assert await alice.ask(UPDATE_CONTACT, id=contact.id, input={})
    assert await alice.ask(CREATE, input={"contactId": contact.id})
    assert await refused(alice, UPDATE_CONTACT, id="x", input={}) == "NOT_FOUND"
    assert await refused(api.user(cast.alice, "read"), UPDATE_CONTACT, id=contact.id, input={}) == "FORBIDDEN"


async def test_a_new_lead_takes_a_new_contact(api: Api, cast: Cast, database: Database) -> None:
    sent = {"contact": MARY, "zipcode": "94105-1234", "type": " Buyer "}
    lead = (await api.user(cast.alice).ask(CREATE, input=sent))["createLead"]["lead"]
    assert lead == {
        "id": lead["id"],
        "contact": {"id": lead["contact"]["id"]} | MARY,
        "creator": {"id": str(cast.alice.id)},
        "source": None,
        "distributionTarget": "MYSELF",
        "teamSelectionMethod": None,
        "team": None,
        "zipcode": "94105",
        "type": "Buyer",
        "createdAt": "2026-03-02T09:00:00.000Z",
        "claimedBy": None,
        "claimedAt": None,
        "claimedVia": None,
        "timeToClaim": None,
        "offers": {"total": 0},
    }
    again = await api.user(cast.alice).ask(CREATE, input={"contactId": lead["contact"]["id"]})
    assert again["createLead"]["lead"]["contact"] == lead["contact"]
    assert await count(database, Contact) == 1


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"contact": None}, "input.contactId"),
    ({"contactId": "1"}, "input.contactId"),
    ({"contact": None, "contactId": "x"}, "input.contactId"),
    ({"sourceId": "999"}, "input.sourceId"),
    ({"zipcode": "1234"}, "input.zipcode"),
    ({"type": ""}, "input.type"),
    ({"teamSelectionMethod": "ZIPCODE"}, "input.teamSelectionMethod"),
    ({"teamId": "1"}, "input.teamId"),
    (ROLLOUT, "input.teamSelectionMethod"),
    (ROLLOUT | {"teamSelectionMethod": "SPECIFIC_TEAM"}, "input.teamId"),
    (ROLLOUT | {"teamSelectionMethod": "SPECIFIC_TEAM", "teamId": "999"}, "input.teamId"),
    ({"distributionTarget": "MYSELF", "teamId": "999"}, "input.teamId"),
]


async def test_invalid_values_of_a_lead_are_reported(api: Api, cast: Cast, database: Database) -> None:
    for sent, field in WRONG:
        told = await refused(api.user(cast.alice), CREATE, input={"contact": MARY} | sent)
        assert told == f"BAD_USER_INPUT {field}", sent
    assert (await count(database, Lead), await count(database, Contact)) == (0, 0)


async def test_a_lead_takes_the_target_of_its_route(api: Api, world: World, cast: Cast) -> None:
    source, alice = await world.source(cast.alice), api.user(cast.alice)
    await world.route(source, cast.team, "Buyer")
    new = {"contact": MARY, "sourceId": source.id}

    async def target(**sent: Any) -> list[Any]:
        lead = (await alice.ask(CREATE, input=new | sent))["createLead"]["lead"]
        return [lead[field] for field in ("distributionTarget", "teamSelectionMethod", "team")]

    to_team = ["TEAM_ROLLOUT", "SPECIFIC_TEAM", {"id": str(cast.team.id)}]
    assert await target(type="Buyer") == to_team
    assert await target(type=" bUYER ") == to_team
    for without_a_route in ({}, {"type": "Seller"}, {"type": "Buyer", "distributionTarget": "MYSELF"}):
        assert await target(**without_a_route) == ["MYSELF", None, None]

    assert await alice.ask(
        "mutation ($input: CreateLeadRouteInput!) { createLeadRoute(input: $input) { leadRoute { id } } }",
        input=BY_ZIPCODE | {"leadSourceId": source.id},
    )
    assert await target(type="Buyer") == to_team
    for by_the_other in ({}, {"type": "Seller"}):
        assert await target(**by_the_other) == ["TEAM_ROLLOUT", "ZIPCODE", None]
    assert await target(**BY_ZIPCODE, type="Buyer") == ["TEAM_ROLLOUT", "ZIPCODE", None]


async def test_routes_of_other_users_are_ignored(api: Api, world: World, cast: Cast) -> None:
    source = await world.source(cast.alice)
    await world.route(source, cast.team)
    told = await refused(api.user(cast.bob), CREATE, input={"contact": MARY, "sourceId": source.id})
    assert told == "BAD_USER_INPUT input.sourceId"
    lead = (await api.user(cast.alice).ask(CREATE, input={"contact": MARY, "sourceId": source.id}))["createLead"]
    assert lead["lead"]["team"] == {"id": str(cast.team.id)}


async def test_a_lead_is_patched(api: Api, world: World, cast: Cast) -> None:
    source, alice = await world.source(cast.alice), api.user(cast.alice)
    lead = await world.lead(cast.alice, cast.team, zipcode="94105", type="Buyer", source_id=source.id)
    before = (await alice.ask(UPDATE, id=lead.id, input={}))["updateLead"]["lead"]
    assert (before["zipcode"], before["type"]) == ("94105", "Buyer")
    cleared = {"sourceId": None, "type": None, "zipcode": None}
    changed = (await alice.ask(UPDATE, id=lead.id, input=cleared))["updateLead"]["lead"]
    assert changed == before | {"source": None, "type": None, "zipcode": None}
    by_zipcode = {"teamSelectionMethod": "ZIPCODE", "zipcode": "02138-0001"}
    changed = (await alice.ask(UPDATE, id=lead.id, input=by_zipcode))["updateLead"]["lead"]
    assert (changed["teamSelectionMethod"], changed["team"], changed["zipcode"]) == ("ZIPCODE", None, "02138")


WRONG_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"distributionTarget": None}, "input.distributionTarget"),
    ({"teamSelectionMethod": None}, "input.teamSelectionMethod"),
    ({"teamId": None}, "input.teamId"),
    ({"teamId": "x"}, "input.teamId"),
    ({"sourceId": "999"}, "input.sourceId"),
    ({"zipcode": "941"}, "input.zipcode"),
]


async def test_invalid_changes_of_a_lead_are_reported(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    for changes, field in WRONG_CHANGES:
        told = await refused(api.user(cast.alice), UPDATE, id=lead.id, input=changes)
        assert told == f"BAD_USER_INPUT {field}", changes


async def test_only_the_creator_changes_a_lead(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob)
    changes = {"type": "Buyer"}
    assert await refused(api.user(cast.bob), UPDATE, id=lead.id, input=changes) == "FORBIDDEN"
    assert await refused(api.user(cast.charlie), UPDATE, id=lead.id, input=changes) == "NOT_FOUND"
    assert await refused(api.user(cast.alice, "read"), UPDATE, id=lead.id, input=changes) == "FORBIDDEN"
    assert await refused(api.user(cast.alice), UPDATE, id="x", input=changes) == "NOT_FOUND"
    assert await api.user(cast.alice).ask(UPDATE, id=lead.id, input=changes)


@pytest.mark.parametrize(
    ("status", "claimed", "is_fixed"),
    [
        (LeadOfferStatus.SCHEDULED, False, True),
        (LeadOfferStatus.SENT, False, True),
        (LeadOfferStatus.DECLINED, False, False),
        (LeadOfferStatus.CANCELLED, False, False),
        (LeadOfferStatus.DECLINED, True, True),
    ],
)
async def test_the_target_of_a_lead_is_fixed_while_it_is_offered_or_claimed(
    api: Api, world: World, cast: Cast, status: LeadOfferStatus, claimed: bool, is_fixed: bool
) -> None:
    lead = await world.lead(cast.alice, cast.team, zipcode="94105")
    await world.offer(lead, cast.bob, status=status)
    if claimed:
        await world.claimed(lead, cast.bob)
    alice = api.user(cast.alice)
    same = {
        "distributionTarget": "TEAM_ROLLOUT",
        "teamSelectionMethod": "SPECIFIC_TEAM",
        "teamId": cast.team.id,
        "zipcode": "94105-9999",
        "type": "Seller",
    }
    assert (await alice.ask(UPDATE, id=lead.id, input=same))["updateLead"]["lead"]["type"] == "Seller"
    other = await world.team(cast.alice)
    for changes in (
        {"zipcode": None},
        {"teamId": other.id},
        {"teamSelectionMethod": "ZIPCODE"},
        {"distributionTarget": "MYSELF"},
    ):
        if is_fixed:
            assert await refused(alice, UPDATE, id=lead.id, input=changes | {"type": "Buyer"}) == "CONFLICT"
        else:
            assert await alice.ask(UPDATE, id=lead.id, input=changes)


async def test_a_lead_of_a_deleted_team_can_change_its_team(api: Api, world: World, cast: Cast) -> None:
    lead, other, alice = await world.lead(cast.alice, cast.team), await world.team(cast.alice), api.user(cast.alice)
    await alice.ask("mutation ($id: ID!) { deleteTeam(id: $id) { deletedTeamId } }", id=cast.team.id)
    assert await refused(alice, UPDATE, id=lead.id, input={"teamId": cast.team.id}) == "BAD_USER_INPUT input.teamId"
    typed = (await alice.ask(UPDATE, id=lead.id, input={"type": "Buyer"}))["updateLead"]["lead"]
    assert typed["team"] == {"id": str(cast.team.id)}
    mended = (await alice.ask(UPDATE, id=lead.id, input={"teamId": other.id}))["updateLead"]["lead"]
    assert mended["team"] == {"id": str(other.id)}


async def test_a_lead_is_created_and_offered_in_two_calls(api: Api, world: World, cast: Cast) -> None:
    source = await world.source(cast.alice)
    await world.route(source, cast.team)
    alice = api.user(cast.alice)
    lead = (await alice.ask(CREATE, input={"contact": MARY, "sourceId": source.id}))["createLead"]["lead"]
    submit = "mutation ($id: ID!) { submitLeadOffers(leadId: $id) { createdCount } }"
    assert await alice.ask(submit, id=lead["id"]) == {"submitLeadOffers": {"createdCount": 1}}


async def test_leads_are_filtered_and_sorted(api: Api, world: World, cast: Cast) -> None:
    for i, zipcode in enumerate(["94105", "02138", None]):
        await world.lead(cast.alice, zipcode=zipcode, type=f"Type {i}")
    held = await world.lead(cast.alice)
    await world.claimed(held, cast.bob)
    read = "query ($where: LeadWhere) { leads(where: $where, sort: [{field: ID, direction: DESC}]) { data { type } } }"
    alice = api.user(cast.alice)
    found = (await alice.ask(read, where={"claimedById": {"eq": None}, "zipcode": {"ne": "02138"}}))["leads"]["data"]
    assert found == [{"type": "Type 2"}, {"type": "Type 0"}]
    found = (await alice.ask(read, where={"claimedById": {"eq": str(cast.bob.id)}}))["leads"]["data"]
    assert found == [{"type": None}]
